-- counts: incoming links of the issue that has most, of types that people made, between issues that exist
-- cost: L
-- versions: 8.3 and later
-- null: zero
select max(x.n) as largest
from (
  select l.destination, count(*) as n
  from issuelink l
  join issuelinktype t on t.id = l.linktype
  join jiraissue i on i.id = l.destination
  join jiraissue o on o.id = l.source
  where (t.pstyle is null or substr(t.pstyle, 1, 5) <> 'jira_')
  group by l.destination
) x
