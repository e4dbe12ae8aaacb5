-- counts: nothing; it reads base URL, server ID and time zone
-- cost: S
-- versions: 8.3 and later
select max(case when e.property_key = 'jira.baseurl' then s.propertyvalue end) as base_url,
       max(case when e.property_key = 'jira.sid.key' then s.propertyvalue end) as server_id,
       max(case when e.property_key = 'jvm.system.timezone' then s.propertyvalue end) as time_zone
from propertyentry e join propertystring s on s.id = e.id
where e.entity_name = 'jira.properties' and e.property_key in ('jira.baseurl', 'jira.sid.key', 'jvm.system.timezone')
