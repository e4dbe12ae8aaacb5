-- counts: epics; no row without Jira Software, which notes the id of its issue type
-- cost: L
-- versions: with Jira Software
select (select count(*) from jiraissue i where i.issuetype = e.v) as total
from dc_view.dc_props e
where e.k = 'GreenHopper.Epic.Default.issuetype.id'
