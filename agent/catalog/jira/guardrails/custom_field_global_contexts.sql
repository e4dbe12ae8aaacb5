-- counts: contexts of custom fields that hold for all projects
-- cost: S
-- versions: 8.3 and later
select count(*) as total
from configurationcontext
where project is null and substr(customfield, 1, 12) = 'customfield_'
