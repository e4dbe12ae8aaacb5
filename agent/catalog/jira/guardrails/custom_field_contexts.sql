-- counts: contexts of custom fields; substr and not like, because the escape of _ differs by database
-- cost: S
-- versions: 8.3 and later
select count(*) as total from fieldconfigscheme where substr(fieldid, 1, 12) = 'customfield_'
