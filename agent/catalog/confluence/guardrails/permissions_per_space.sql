-- counts: permissions of the space with the most; rows without a space are global permissions
-- cost: L
-- versions: 6.3 and later
-- null: zero
select max(x.n) as largest
from (select spaceid, count(*) as n from spacepermissions where spaceid is not null group by spaceid) x
join spaces s on s.spaceid = x.spaceid
