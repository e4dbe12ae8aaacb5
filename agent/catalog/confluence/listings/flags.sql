-- counts: feature flags of the site, never those of a user
-- cost: S
-- versions: 6.1 to 9.5
-- rows: 1000
-- every: hour
-- unpack: stored as flags
-- until: plugin_setting(namespace, setting_key, setting_value), build 9200
select b.bandanavalue as stored, 'enabled' as state
from bandana b
where b.bandanacontext = '_GLOBAL' and b.bandanakey = 'confluence.darkfeature'
