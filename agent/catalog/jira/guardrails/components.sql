-- counts: components of all projects that exist
-- cost: S
-- versions: 8.3 and later
select count(*) as total from component c join project p on p.id = c.project
