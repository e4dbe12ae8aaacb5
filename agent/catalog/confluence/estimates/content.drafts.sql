-- Drafts.
select 1 from content where content_status = 'draft'
