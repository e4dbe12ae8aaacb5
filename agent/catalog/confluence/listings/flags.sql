-- counts: feature flags of the site, never those of a user
-- cost: S
-- versions: 6.1 and later
-- rows: 1000
-- every: hour
-- unpack: stored as flags
select b.bandanavalue as stored, 'enabled' as state
from bandana b
where b.bandanacontext = '_GLOBAL' and b.bandanakey = 'confluence.darkfeature'
