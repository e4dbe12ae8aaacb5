-- counts: results by kind, in one pass
-- cost: L
-- versions: after published SQL; not verified on a schema
-- null: zero
-- estimate: buildresultsummary as total
-- planned: jobs, plans, branches
select
  count(*) as total,
  sum(case when build_type = 'BUILD' then 1 else 0 end) as jobs,
  sum(case when build_type = 'CHAIN' then 1 else 0 end) as plans,
  sum(case when build_type = 'CHAIN_BRANCH' then 1 else 0 end) as branches
from buildresultsummary
