-- counts: links of the issue that has most, those to it and those from it: each row is a link of both its ends; not those of Jira's own types (sub-tasks, stories of epics), and none to or from an issue that is gone
-- cost: L
-- versions: 8.3 and later
-- null: zero
select max(x.n) as largest
from (
  select e.issue, count(*) as n
  from (
    select l.source as issue, l.destination as other
    from issuelink l join issuelinktype t on t.id = l.linktype
    where (t.pstyle is null or substr(t.pstyle, 1, 5) <> 'jira_')
    union all
    select l.destination as issue, l.source as other
    from issuelink l join issuelinktype t on t.id = l.linktype
    where (t.pstyle is null or substr(t.pstyle, 1, 5) <> 'jira_')
  ) e
  join jiraissue i on i.id = e.issue
  join jiraissue o on o.id = e.other
  group by e.issue
) x
