-- counts: contexts of custom fields that exist, for all projects: those of a deleted field stay in the table
-- cost: S
-- versions: 8.3 and later
select count(*) as total
from configurationcontext c join customfield f on c.customfield = 'customfield_' || cast(f.id as varchar(20))
where c.project is null
