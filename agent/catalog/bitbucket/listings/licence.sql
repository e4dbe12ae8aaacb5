-- counts: the licence; the text is decoded in memory and all but the listed columns is dropped
-- cost: S
-- versions: 6 and later
-- rows: 50
-- every: hour
-- unpack: licence as licences
-- login: product
select p.prop_value as licence
from app_property p
where p.prop_key = 'license'
