-- counts: current pages of the largest space that exists
-- cost: L
-- versions: 6.3 and later
-- null: zero
select max(x.n) as largest
from (
  select spaceid, count(*) as n
  from content
  where contenttype = 'PAGE' and prevver is null and content_status = 'current'
  group by spaceid
) x
join spaces s on s.spaceid = x.spaceid
