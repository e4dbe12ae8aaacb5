-- counts: current attachments of the current page or blog post with the most, not of drafts nor of the trash
-- cost: L
-- versions: 6.3 and later
-- null: zero
select max(x.n) as largest
from (
  select pageid, count(*) as n
  from content
  where contenttype = 'ATTACHMENT' and prevver is null and content_status = 'current'
  group by pageid
) x
join content c on c.contentid = x.pageid
where c.contenttype in ('PAGE', 'BLOGPOST') and c.prevver is null and c.content_status = 'current'
