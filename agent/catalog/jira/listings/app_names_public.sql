-- counts: names of the public apps that `apps` found
-- cost: S
-- versions: 8.3 and later
-- rows: 1000
-- every: hour
select p.pluginkey as app, p.pluginname as name
from pluginversion p
where p.pluginkey in :public_apps
