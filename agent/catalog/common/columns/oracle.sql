-- What the account may read of the current schema, which is all that Oracle tells of it.
select c.table_name as tab, c.column_name as col, case when v.view_name is null then 0 else 1 end as seen_through
from all_tab_columns c left join all_views v on v.owner = c.owner and v.view_name = c.table_name
where c.owner = sys_context('userenv', 'current_schema') and lower(c.table_name) in :wanted
