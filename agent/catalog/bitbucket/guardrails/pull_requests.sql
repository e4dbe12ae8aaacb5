-- counts: pull requests by state
-- cost: L
-- versions: 6 and later
-- null: zero
-- estimate: sta_pull_request as total
-- planned: open_now, merged, declined
select
  count(*) as total,
  sum(case when pr_state = 0 then 1 else 0 end) as open_now,
  sum(case when pr_state = 1 then 1 else 0 end) as merged,
  sum(case when pr_state = 2 then 1 else 0 end) as declined
from sta_pull_request
