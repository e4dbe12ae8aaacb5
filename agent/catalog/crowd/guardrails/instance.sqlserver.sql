-- counts: nothing; it reads the base URL
-- cost: S
-- versions: 5 and later
select max(cast(p.property_value as nvarchar(400))) as base_url
from cwd_property p
where p.property_key = 'crowd' and p.property_name = 'base.url'
