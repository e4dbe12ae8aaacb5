-- counts: versions (releases) of all projects
-- cost: M
-- versions: 8.3 and later
select count(*) as total from projectversion
