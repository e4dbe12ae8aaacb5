-- What the planner believes, from the last VACUUM or ANALYZE. Below 1 it does not know: never analysed, or empty then.
select
  case when c.reltuples >= 1 then c.reltuples end as n,
  greatest(s.last_vacuum, s.last_autovacuum, s.last_analyze, s.last_autoanalyze) as as_of
from pg_class c left join pg_stat_all_tables s on s.relid = c.oid
where c.oid = to_regclass(quote_ident(:wanted))
