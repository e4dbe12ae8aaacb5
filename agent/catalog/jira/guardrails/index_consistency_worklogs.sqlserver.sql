-- counts: worklogs without an index version; no row before Jira 9, where a healthy one has many
-- cost: L
-- versions: 9 and later
select (
  select count(*) from worklog r left join worklog_version v on v.worklog_id = r.id where v.worklog_id is null
) as total
from propertyentry e join propertystring s on s.id = e.id
where e.entity_name = 'jira.properties' and e.property_key = 'jira.version.patched'
  and (len(cast(s.propertyvalue as nvarchar(4000))) > 6 or cast(s.propertyvalue as nvarchar(4000)) >= '900000')
