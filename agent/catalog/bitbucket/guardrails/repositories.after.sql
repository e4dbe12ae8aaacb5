-- counts: repositories in every state, those in state 1, those open to everybody
-- cost: M
-- versions: 8 and later
-- null: zero
-- until: repository(is_archived)
-- why: an archived repository stays in state 1, and before 8 no column says which one is
select
  count(*) as total,
  sum(case when state = 1 and not is_archived then 1 else 0 end) as available,
  sum(case when is_public then 1 else 0 end) as public_access
from repository
