-- counts: commits of pull requests
-- cost: L
-- versions: 6 and later
select count(*) as total from bb_pr_commit
