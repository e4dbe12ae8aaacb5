-- counts: what happened on pull requests
-- cost: L
-- versions: 6 and later
select count(*) as total from sta_pr_activity
