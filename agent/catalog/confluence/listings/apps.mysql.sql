-- counts: apps that people installed
-- cost: S
-- versions: 6.1 and later
-- rows: 1000
-- every: hour
select distinct p.PLUGINKEY as app, 'user-installed' as origin, 'unknown' as version
from PLUGINDATA p
order by 1
