-- counts: feature flags of the site, never those of a user
-- cost: S
-- versions: 6.1 and later
-- rows: 1000
-- every: hour
-- unpack: stored as flags
select b.BANDANAVALUE as stored, 'enabled' as state
from BANDANA b
where b.BANDANACONTEXT = '_GLOBAL' and b.BANDANAKEY = 'confluence.darkfeature'
