-- counts: request types of the project that has most, of projects that exist
-- cost: S
-- versions: with Jira Service Management; the table is absent without it
-- null: zero
select max(n) as largest
from (
  select count(*) as n
  from "AO_54307E_VIEWPORTFORM" f
  join "AO_54307E_VIEWPORT" v on v."ID" = f."VIEWPORT_ID"
  join project p on p.id = v."PROJECT_ID"
  group by v."PROJECT_ID"
) x
