-- counts: rows of content, all versions
-- cost: L
-- versions: 6.3 and later
select count(*) as total from content
