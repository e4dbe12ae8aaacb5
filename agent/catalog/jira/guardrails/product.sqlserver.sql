-- counts: nothing; it reads the product's version and build number
-- cost: S
-- versions: 8.3 and later
select max(case when e.property_key = 'jira.version' then cast(s.propertyvalue as nvarchar(4000)) end) as version,
       max(case when e.property_key = 'jira.version.patched' then cast(s.propertyvalue as nvarchar(4000)) end) as build
from propertyentry e join propertystring s on s.id = e.id
where e.entity_name = 'jira.properties' and e.property_key in ('jira.version', 'jira.version.patched')
