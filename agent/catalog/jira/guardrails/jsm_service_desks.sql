-- counts: service desks of projects that exist, and the ones in use
-- cost: S
-- versions: with Jira Service Management; the table is absent without it
-- null: zero
select count(*) as total, sum(case when coalesce(s."DISABLED", false) = false then 1 else 0 end) as active
from "AO_54307E_SERVICEDESK" s join project p on p.id = s."PROJECT_ID"
