-- counts: bytes of all attachments, old versions included
-- cost: XL
-- versions: 6.3 and later
-- null: zero
select sum(p.longval) as total
from CONTENTPROPERTIES p join CONTENT c on c.contentid = p.contentid
where p.propertyname = 'FILESIZE' and c.contenttype = 'ATTACHMENT'
