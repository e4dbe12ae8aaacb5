-- counts: comments without an index version, of issues that exist; no row before Jira 9, where a healthy one has many
-- cost: L
-- versions: 9 and later
select (
  select count(*)
  from jiraaction r
  left join comment_version v on v.comment_id = r.id
  join jiraissue i on i.id = r.issueid
  where v.comment_id is null and r.actiontype = 'comment'
) as total
from propertyentry e join propertystring s on s.id = e.id
where e.entity_name = 'jira.properties' and e.property_key = 'jira.version.patched'
  and (length(s.propertyvalue) > 6 or s.propertyvalue >= '900000')
