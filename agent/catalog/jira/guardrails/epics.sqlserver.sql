-- counts: epics; no row without Jira Software, which notes the id of its issue type
-- cost: L
-- versions: with Jira Software
select (select count(*) from jiraissue i where i.issuetype = e.type_id) as total
from (
  select cast(s.propertyvalue as nvarchar(4000)) as type_id
  from propertyentry p join propertystring s on s.id = p.id
  where p.entity_name = 'GreenHopper.properties' and p.property_key = 'GreenHopper.Epic.Default.issuetype.id'
) e
