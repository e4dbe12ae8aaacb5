-- counts: apps with version and state; a state that is not stored is the app's default
-- cost: S
-- versions: 8.3 and later
-- rows: 1000
-- every: hour
select p.pluginkey as app, p.pluginversion as version,
       case when s.pluginenabled is null then 'default'
            when lower(s.pluginenabled) = 'true' then 'enabled'
            else 'disabled' end as state
from pluginversion p left join pluginstate s on s.pluginkey = p.pluginkey
where p.pluginkey not like '%:%'
order by p.pluginkey
