-- counts: current attachments of the page with the most
-- cost: L
-- versions: 6.3 and later
-- null: zero
select max(n) as largest
from (
  select count(*) as n
  from CONTENT
  where contenttype = 'ATTACHMENT' and prevver is null and content_status = 'current'
  group by pageid
) x
