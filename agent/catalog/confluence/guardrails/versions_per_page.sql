-- counts: old versions kept of the current page with the most; drafts name the page they are of in the same column
-- cost: L
-- versions: 6.3 and later
-- null: zero
select max(x.n) as largest
from (
  select prevver, count(*) as n
  from content
  where contenttype = 'PAGE' and prevver is not null and content_status = 'current'
  group by prevver
) x
join content c on c.contentid = x.prevver
where c.contenttype = 'PAGE' and c.prevver is null and c.content_status = 'current'
