-- counts: projects, archived ones included
-- cost: S
-- versions: 8.3 and later
select count(*) as total from project
