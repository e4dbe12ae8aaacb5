-- counts: apps whose state differs from their default, those that Confluence brings too
-- cost: S
-- versions: 6.1 and later
-- rows: 1000
-- every: hour
-- unpack: stored as states
select b.BANDANAVALUE as stored
from BANDANA b
where b.BANDANACONTEXT = '_GLOBAL' and b.BANDANAKEY = 'plugin.manager.state.Map'
