-- counts: rows of content by kind and state, in one pass
-- cost: L
-- versions: 6.3 and later
-- null: zero
-- planned: pages, blog_posts, comments, attachments, drafts, trash, indexed
select
  sum(case when contenttype = 'PAGE' and prevver is null and content_status = 'current' then 1 else 0 end) as pages,
  sum(case when contenttype = 'BLOGPOST' and prevver is null and content_status = 'current' then 1 else 0 end) as blog_posts,
  sum(case when contenttype = 'COMMENT' and prevver is null and content_status = 'current' then 1 else 0 end) as comments,
  sum(case when contenttype = 'ATTACHMENT' and prevver is null and content_status = 'current' then 1 else 0 end) as attachments,
  sum(case when contenttype in ('PAGE', 'BLOGPOST') and content_status = 'draft' then 1 else 0 end) as drafts,
  sum(case when contenttype = 'PAGE' and prevver is null and content_status = 'deleted' then 1 else 0 end) as trash,
  sum(case when prevver is null and content_status = 'current'
           and contenttype in ('PAGE', 'BLOGPOST', 'COMMENT', 'ATTACHMENT') then 1 else 0 end) as indexed,
  max(case when contenttype = 'PAGE' and prevver is null and content_status = 'current' then version end) as page_version
from content
