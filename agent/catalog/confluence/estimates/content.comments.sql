-- Current comments.
select 1 from content where contenttype = 'COMMENT' and prevver is null and content_status = 'current'
