-- counts: repositories that are forks
-- cost: M
-- versions: 6 and later
select count(*) as total from sta_repo_origin
