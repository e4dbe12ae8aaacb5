-- counts: licences by application; the text is decoded in memory and all but the listed columns is dropped
-- cost: S
-- versions: 7 and later
-- rows: 50
-- every: hour
-- unpack: licence as licences
-- login: product
select p.license as licence
from productlicense p
order by p.id
