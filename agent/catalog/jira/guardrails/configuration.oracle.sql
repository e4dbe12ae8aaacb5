-- counts: statuses, issue types, priorities, resolutions, screens; every table is small
-- cost: S
-- versions: 8.3 and later
select
  (select count(*) from issuestatus) as statuses,
  (select count(*) from issuetype) as issue_types,
  (select count(*) from priority) as priorities,
  (select count(*) from resolution) as resolutions,
  (select count(*) from fieldscreen) as screens
from dual
