-- counts: names that people gave to application links
-- cost: S
-- versions: 6.1 and later
-- consent: extended
-- rows: 500
-- every: hour
select substr(b.BANDANAKEY, 16, 36) as link, replace(replace(b.BANDANAVALUE, '<string>', ''), '</string>', '') as name
from BANDANA b
where b.BANDANACONTEXT = '_GLOBAL' and b.BANDANAKEY like 'applinks.admin.%.name' and b.BANDANAKEY not like '%auth%'
order by substr(b.BANDANAKEY, 16, 36)
