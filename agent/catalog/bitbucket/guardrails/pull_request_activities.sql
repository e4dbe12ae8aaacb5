-- counts: what happened on pull requests
-- cost: L
-- versions: 6 and later
-- estimate: sta_pr_activity as total
select count(*) as total from sta_pr_activity
