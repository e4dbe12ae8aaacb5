-- counts: names that people gave to application links
-- cost: S
-- versions: 8.3 and later
-- consent: extended
-- rows: 500
-- every: hour
select substring(e.property_key, 16, 36) as link, cast(s.propertyvalue as nvarchar(400)) as name
from propertyentry e join propertystring s on s.id = e.id
where e.entity_name = 'jira.properties' and e.property_key like 'applinks.admin.%.name' and e.property_key not like '%auth%'
order by substring(e.property_key, 16, 36)
