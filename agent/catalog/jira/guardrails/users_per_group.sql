-- counts: direct members of the largest group of a directory in use; no row means that no group has members
-- cost: M
-- versions: 8.3 and later
-- null: zero
select max(x.n) as largest
from (select parent_id, count(*) as n from cwd_membership where membership_type = 'GROUP_USER' group by parent_id) x
join cwd_group g on g.id = x.parent_id
join cwd_directory d on d.id = g.directory_id
where d.active = 1
