-- Drafts.
select 1 from CONTENT where content_status = 'draft'
