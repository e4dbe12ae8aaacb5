-- counts: saved filters
-- cost: M
-- versions: 8.3 and later
select count(*) as total from searchrequest
