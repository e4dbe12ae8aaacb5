-- Current attachments.
select 1 from CONTENT where contenttype = 'ATTACHMENT' and prevver is null and content_status = 'current'
