-- counts: request types of the portals of projects that exist
-- cost: S
-- versions: with Jira Service Management; the table is absent without it
select count(*) as total
from "AO_54307E_VIEWPORTFORM" f
join "AO_54307E_VIEWPORT" v on v."ID" = f."VIEWPORT_ID"
join project p on p.id = v."PROJECT_ID"
