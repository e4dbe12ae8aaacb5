-- Current comments.
select 1 from CONTENT where contenttype = 'COMMENT' and prevver is null and content_status = 'current'
