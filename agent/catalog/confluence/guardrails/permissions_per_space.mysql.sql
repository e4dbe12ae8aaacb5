-- counts: permissions of the space with the most; rows without a space are global permissions
-- cost: L
-- versions: 6.3 and later
-- null: zero
select max(n) as largest
from (select count(*) as n from SPACEPERMISSIONS where spaceid is not null group by spaceid) x
