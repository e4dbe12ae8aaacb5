-- counts: old versions kept of the page with the most
-- cost: L
-- versions: 6.3 and later
-- null: zero
select max(n) as largest
from (select count(*) as n from content where contenttype = 'PAGE' and prevver is not null group by prevver) x
