-- counts: issues of the largest project that exists; no row means that there is no issue
-- cost: L
-- versions: 8.3 and later
-- null: zero
select max(x.n) as largest
from (select project, count(*) as n from jiraissue group by project) x
join project p on p.id = x.project
