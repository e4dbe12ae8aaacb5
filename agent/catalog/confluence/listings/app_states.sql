-- counts: apps whose state differs from their default, those that Confluence brings too
-- cost: S
-- versions: 6.1 to 9.5
-- rows: 1000
-- every: hour
-- unpack: stored as states
-- until: plugin_setting(namespace, setting_key, setting_value), build 9200
select b.bandanavalue as stored
from bandana b
where b.bandanacontext = '_GLOBAL' and b.bandanakey = 'plugin.manager.state.Map'
