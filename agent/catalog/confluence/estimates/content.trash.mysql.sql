-- Deleted pages.
select 1 from CONTENT where contenttype = 'PAGE' and content_status = 'deleted'
