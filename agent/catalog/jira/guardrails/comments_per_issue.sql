-- counts: comments of the issue that has most, and issues with more than 1000; only actions that are comments, and none that outlived its issue; the groups are joined and not the rows: fewer of them, and an index on issues only
-- cost: L
-- versions: 8.3 and later
-- null: zero
select max(x.n) as largest, sum(case when x.n > 1000 then 1 else 0 end) as over_limit
from (select issueid, count(*) as n from jiraaction where actiontype = 'comment' group by issueid) x
join jiraissue i on i.id = x.issueid
