-- counts: apps that people installed
-- cost: S
-- versions: 6.1 and later
-- rows: 1000
-- every: hour
select distinct p.pluginkey as app, 'user-installed' as origin, 'unknown' as version
from plugindata p
order by 1
