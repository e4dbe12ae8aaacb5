-- counts: names that people gave to application links
-- cost: S
-- versions: 6.1 and later
-- consent: extended
-- rows: 500
-- every: hour
select substring(b.bandanakey, 16, 36) as link, replace(replace(cast(b.bandanavalue as nvarchar(400)), '<string>', ''), '</string>', '') as name
from bandana b
where b.bandanacontext = '_GLOBAL' and b.bandanakey like 'applinks.admin.%.name' and b.bandanakey not like '%auth%'
order by substring(b.bandanakey, 16, 36)
