-- Current blog posts.
select 1 from content where contenttype = 'BLOGPOST' and prevver is null and content_status = 'current'
