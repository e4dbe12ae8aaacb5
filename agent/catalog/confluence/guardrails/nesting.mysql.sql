-- counts: levels of the deepest page tree: positions count ancestors from 0, the page itself is one more
-- cost: L
-- versions: 6.3 and later
select coalesce(max(a.ancestorposition) + 2, 1) as levels
from CONFANCESTORS a join CONTENT c on c.contentid = a.descendentid
where c.contenttype = 'PAGE' and c.prevver is null and c.content_status = 'current'
