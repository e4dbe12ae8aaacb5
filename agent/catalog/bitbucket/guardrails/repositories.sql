-- counts: repositories in every state, those in state 1, those open to everybody
-- cost: M
-- versions: 6 and later
-- null: zero
-- until: repository(is_archived)
select
  count(*) as total,
  sum(case when state = 1 then 1 else 0 end) as available,
  sum(case when is_public then 1 else 0 end) as public_access
from repository
