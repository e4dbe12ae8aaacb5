-- counts: issues without an index version; no row before Jira 9, where a healthy one has many
-- cost: L
-- versions: 9 and later
select (
  select count(*) from jiraissue r left join issue_version v on v.issue_id = r.id where v.issue_id is null
) as total
from dc_view.dc_props e
where e.k = 'jira.version.patched' and (length(e.v) > 6 or e.v >= '900000')
