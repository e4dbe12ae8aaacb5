-- Deleted pages.
select 1 from content where contenttype = 'PAGE' and content_status = 'deleted'
