-- The rows of the last statistics run, and when that was, in UTC.
select
  num_rows as n,
  sys_extract_utc(from_tz(cast(last_analyzed as timestamp), to_char(systimestamp, 'TZH:TZM'))) as as_of
from all_tables
where owner = sys_context('userenv', 'current_schema') and table_name = upper(:wanted)
