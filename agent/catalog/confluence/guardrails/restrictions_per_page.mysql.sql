-- counts: restrictions of the page with the most; no row means that no page has any
-- cost: L
-- versions: 6.3 and later
-- null: zero
select max(n) as largest
from (
  select count(*) as n
  from CONTENT_PERM_SET s join CONTENT_PERM p on p.cps_id = s.id
  group by s.content_id
) x
