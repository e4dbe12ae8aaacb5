-- counts: issues without an index version; no row before Jira 9, where a healthy one has many
-- cost: L
-- versions: 9 and later
select (
  select count(*) from jiraissue r left join issue_version v on v.issue_id = r.id where v.issue_id is null
) as total
from propertyentry e join propertystring s on s.id = e.id
where e.entity_name = 'jira.properties' and e.property_key = 'jira.version.patched'
  and (length(s.propertyvalue) > 6 or s.propertyvalue >= '900000')
