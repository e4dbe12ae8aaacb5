-- counts: names that people gave to application links
-- cost: S
-- versions: 8.3 and later
-- consent: extended
-- rows: 500
-- every: hour
select substr(e.property_key, 16, 36) as link, s.propertyvalue as name
from propertyentry e join propertystring s on s.id = e.id
where e.entity_name = 'jira.properties' and e.property_key like 'applinks.admin.%.name' and e.property_key not like '%auth%'
order by substr(e.property_key, 16, 36)
