-- counts: objects of the schema that has most
-- cost: L
-- versions: with Assets (Insight); the table is absent without it
-- null: zero
select max(n) as largest
from (
  select count(*) as n
  from `AO_8542F1_IFJ_OBJ` o join `AO_8542F1_IFJ_OBJ_TYPE` t on t.`ID` = o.`OBJECT_TYPE_ID`
  group by t.`OBJECT_SCHEMA_ID`
) x
