-- counts: projects, and personal ones
-- cost: S
-- versions: 6 and later
select
  (select count(*) from sta_normal_project) as normal,
  (select count(*) from sta_personal_project) as personal
from dual
