-- counts: plans, and plan branches
-- cost: M
-- versions: after published SQL; not verified on a schema
-- null: zero
select
  sum(case when build_type = 'CHAIN' then 1 else 0 end) as plans,
  sum(case when build_type = 'CHAIN_BRANCH' then 1 else 0 end) as branches
from build
