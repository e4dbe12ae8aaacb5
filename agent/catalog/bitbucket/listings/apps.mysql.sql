-- counts: apps whose state differs from their default
-- cost: S
-- versions: all
-- rows: 1000
-- every: hour
select p.name as app, case when p.enabled = 1 then 'enabled' else 'disabled' end as state
from plugin_state p
where p.name not like '%:%'
order by p.name
