-- counts: groups in all directories
-- cost: S
-- versions: 6.3 and later
select count(*) as total from cwd_group
