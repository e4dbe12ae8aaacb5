-- Current blog posts.
select 1 from CONTENT where contenttype = 'BLOGPOST' and prevver is null and content_status = 'current'
