-- What the storage engine counts along with each change: near exact, and of now.
select sum(p.rows) as n, sysutcdatetime() as as_of
from sys.partitions p
where p.object_id = object_id(quotename(:wanted)) and p.index_id in (0, 1)
