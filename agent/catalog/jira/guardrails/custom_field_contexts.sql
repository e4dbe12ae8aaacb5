-- counts: contexts of custom fields that exist: those of a deleted field stay in the table
-- cost: S
-- versions: 8.3 and later
select count(*) as total
from fieldconfigscheme s join customfield f on s.fieldid = 'customfield_' || cast(f.id as varchar(20))
