-- counts: request types
-- cost: S
-- versions: with Jira Service Management; the table is absent without it
select count(*) as total from "AO_54307E_VIEWPORTFORM"
