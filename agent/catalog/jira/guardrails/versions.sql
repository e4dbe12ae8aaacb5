-- counts: versions (releases) of all projects that exist
-- cost: M
-- versions: 8.3 and later
select count(*) as total from projectversion c join project p on p.id = c.project
