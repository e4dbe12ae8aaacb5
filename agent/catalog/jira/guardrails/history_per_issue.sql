-- counts: change groups of the issue that has most, of issues that exist; the changes in them cost nine times as much
-- cost: L
-- versions: 8.3 and later
-- null: zero
select max(x.n) as largest
from (select issueid, count(*) as n from changegroup group by issueid) x
join jiraissue i on i.id = x.issueid
