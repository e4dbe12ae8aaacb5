-- What the index holds.
select 1 from content where prevver is null and content_status = 'current' and contenttype in ('PAGE', 'BLOGPOST', 'COMMENT', 'ATTACHMENT')
