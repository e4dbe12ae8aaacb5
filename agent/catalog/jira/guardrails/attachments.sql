-- counts: attachments, their bytes, the largest one, and those over 10 MB
-- cost: L
-- versions: 8.3 and later
-- null: zero
-- estimate: fileattachment as total
select
  count(*) as total,
  sum(filesize) as bytes,
  max(filesize) as largest,
  sum(case when filesize > 10485760 then 1 else 0 end) as big
from fileattachment
