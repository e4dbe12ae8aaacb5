-- counts: comments without an index version; no row before Jira 9, where a healthy one has many
-- cost: L
-- versions: 9 and later
select (
  select count(*) from jiraaction r left join comment_version v on v.comment_id = r.id where v.comment_id is null
) as total
from dc_view.dc_props e
where e.k = 'jira.version.patched' and (length(e.v) > 6 or e.v >= '900000')
