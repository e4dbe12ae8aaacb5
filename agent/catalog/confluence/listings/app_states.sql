-- counts: apps whose state differs from their default, those that Confluence brings too
-- cost: S
-- versions: 6.1 and later
-- rows: 1000
-- every: hour
-- unpack: stored as states
select b.bandanavalue as stored
from bandana b
where b.bandanacontext = '_GLOBAL' and b.bandanakey = 'plugin.manager.state.Map'
