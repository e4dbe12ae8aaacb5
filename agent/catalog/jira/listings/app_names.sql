-- counts: names of all apps, those an organisation made for itself too
-- cost: S
-- versions: 8.3 and later
-- consent: extended
-- rows: 1000
-- every: hour
select p.pluginkey as app, p.pluginname as name
from pluginversion p
where p.pluginkey not like '%:%'
order by p.pluginkey
