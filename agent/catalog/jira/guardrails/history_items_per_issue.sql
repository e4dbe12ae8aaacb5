-- counts: single changes of the issue that has most, of issues that exist; joins the two largest tables, so once a day
-- cost: XL
-- versions: 8.3 and later
-- null: zero
select max(x.n) as largest
from (
  select g.issueid, count(*) as n from changeitem c join changegroup g on g.id = c.groupid group by g.issueid
) x
join jiraissue i on i.id = x.issueid
