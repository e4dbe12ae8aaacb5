-- counts: groups in all directories
-- cost: S
-- versions: 8.3 and later
select count(*) as total from cwd_group
