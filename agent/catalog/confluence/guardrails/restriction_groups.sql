-- counts: different groups that restrictions of current content name; the names stay in the database
-- cost: M
-- versions: 6.3 and later
select count(distinct p.groupname) as total
from content_perm p
join content_perm_set s on s.id = p.cps_id
join content c on c.contentid = s.content_id
where c.prevver is null and c.content_status = 'current'
