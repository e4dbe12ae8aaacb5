-- counts: comments without an index version; no row before Jira 9, where a healthy one has many
-- cost: L
-- versions: 9 and later
select (
  select count(*) from jiraaction r left join comment_version v on v.comment_id = r.id where v.comment_id is null
) as total
from propertyentry e join propertystring s on s.id = e.id
where e.entity_name = 'jira.properties' and e.property_key = 'jira.version.patched'
  and (length(to_char(s.propertyvalue)) > 6 or to_char(s.propertyvalue) >= '900000')
