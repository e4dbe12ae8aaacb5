-- counts: current pages of the largest space
-- cost: L
-- versions: 6.3 and later
-- null: zero
select max(n) as largest
from (
  select count(*) as n
  from CONTENT
  where contenttype = 'PAGE' and prevver is null and content_status = 'current'
  group by spaceid
) x
