-- What the index holds.
select 1 from CONTENT where prevver is null and content_status = 'current' and contenttype in ('PAGE', 'BLOGPOST', 'COMMENT', 'ATTACHMENT')
