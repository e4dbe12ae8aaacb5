-- counts: repositories in every state, those in state 1, those open to everybody by themselves or by their project
-- cost: M
-- versions: 6 and later
-- null: zero
-- until: repository(is_archived)
select
  count(*) as total,
  sum(case when r.state = 1 then 1 else 0 end) as available,
  sum(case when r.is_public or p.is_public then 1 else 0 end) as public_access
from repository r left join sta_normal_project p on p.project_id = r.project_id
