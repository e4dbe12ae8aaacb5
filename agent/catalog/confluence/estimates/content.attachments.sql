-- Current attachments.
select 1 from content where contenttype = 'ATTACHMENT' and prevver is null and content_status = 'current'
