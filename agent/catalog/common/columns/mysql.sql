-- The name in any case: Confluence's and Bamboo's tables are upper case there. The views are asked for once, not for each
-- column: a join of these tables would open every table of the database again for each row.
select c.table_name as tab, c.column_name as col,
       case when c.table_name in (select v.table_name from information_schema.views v where v.table_schema = database())
            then 1 else 0 end as seen_through
from information_schema.columns c
where c.table_schema = database() and lower(c.table_name) in :wanted
