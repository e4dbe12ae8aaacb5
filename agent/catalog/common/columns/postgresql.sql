-- Whether the account may read them or not: what it may not read is another matter, and the statement tells.
select c.relname as tab, a.attname as col, case when c.relkind in ('v', 'm') then 1 else 0 end as seen_through
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relname in :wanted and c.relkind in ('r', 'v', 'm', 'f', 'p') and pg_table_is_visible(c.oid)
