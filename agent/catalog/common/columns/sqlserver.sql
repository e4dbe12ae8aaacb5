-- Names of the schema in which the account's statements look.
select c.table_name as tab, c.column_name as col, case when t.table_type = 'VIEW' then 1 else 0 end as seen_through
from information_schema.columns c
join information_schema.tables t on t.table_schema = c.table_schema and t.table_name = c.table_name
where c.table_schema = schema_name() and lower(c.table_name) in :wanted
