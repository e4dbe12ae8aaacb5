-- counts: epics as a search finds them: no archived issue and none of an archived project; no row without Jira Software, which notes the id of its issue type
-- cost: L
-- versions: with Jira Software
select (
  select count(*) from jiraissue i
  where i.issuetype = e.type_id and (i.archived is null or i.archived <> 'Y')
    and not exists (
      select 1 from propertyentry a where a.property_key = 'jira.archiving.projects' and a.entity_id = i.project
    )
) as total
from (
  select s.propertyvalue as type_id
  from propertyentry p join propertystring s on s.id = p.id
  where p.entity_name = 'GreenHopper.properties' and p.property_key = 'GreenHopper.Epic.Default.issuetype.id'
) e
