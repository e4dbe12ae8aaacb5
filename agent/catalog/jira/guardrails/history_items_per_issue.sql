-- counts: single changes of the issue that has most; joins the two largest tables, so once a day at most
-- cost: XL
-- versions: 8.3 and later
-- null: zero
select max(n) as largest
from (
  select count(*) as n from changeitem i join changegroup g on g.id = i.groupid group by g.issueid
) x
