-- counts: links between issues that people made; sub-tasks and the stories of epics are rows here too, of Jira's own types
-- cost: L
-- versions: 8.3 and later
-- planned: total
select count(*) as total
from issuelink l join issuelinktype t on t.id = l.linktype
where (t.pstyle is null or substr(t.pstyle, 1, 5) <> 'jira_')
