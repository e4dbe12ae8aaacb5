-- counts: commits of pull requests
-- cost: L
-- versions: 6 and later
-- estimate: bb_pr_commit as total
select count(*) as total from bb_pr_commit
