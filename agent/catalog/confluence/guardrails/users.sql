-- counts: accounts in all directories, active or not
-- cost: M
-- versions: 6.3 and later
select count(*) as total from cwd_user
