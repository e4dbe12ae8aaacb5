-- counts: nothing; it reads base URL and server ID
-- cost: S
-- versions: all
select max(case when p.prop_key = 'instance.url' then p.prop_value end) as base_url,
       max(case when p.prop_key = 'server.id' then p.prop_value end) as server_id
from app_property p
where p.prop_key in ('instance.url', 'server.id')
