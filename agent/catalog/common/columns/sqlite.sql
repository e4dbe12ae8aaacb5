-- Of a file everything can be seen.
select m.name as tab, c.name as col, case when m.type = 'view' then 1 else 0 end as seen_through
from sqlite_master m join pragma_table_info(m.name) c
where m.type in ('table', 'view') and lower(m.name) in :wanted
