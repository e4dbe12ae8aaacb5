-- counts: restrictions of the current page or blog post with the most, not of old versions, drafts or the trash; no row means that none has any
-- cost: L
-- versions: 6.3 and later
-- null: zero
select max(x.n) as largest
from (
  select s.content_id, count(*) as n
  from content_perm_set s join content_perm p on p.cps_id = s.id
  group by s.content_id
) x
join content c on c.contentid = x.content_id
where c.prevver is null and c.content_status = 'current'
