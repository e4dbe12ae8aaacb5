-- counts: SLA metrics of service desks of projects that exist
-- cost: S
-- versions: with Jira Service Management; the table is absent without it
select count(*) as total
from "AO_54307E_TIMEMETRIC" m
join "AO_54307E_SERVICEDESK" s on s."ID" = m."SERVICE_DESK_ID"
join project p on p.id = s."PROJECT_ID"
