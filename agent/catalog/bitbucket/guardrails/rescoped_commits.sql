-- counts: commits noted when pull requests changed
-- cost: L
-- versions: 6 and later
-- estimate: sta_pr_rescope_commit as total
select count(*) as total from sta_pr_rescope_commit
