-- counts: object schemas that have a type
-- cost: S
-- versions: with Assets (Insight); the table is absent without it
select count(distinct "OBJECT_SCHEMA_ID") as total from "AO_8542F1_IFJ_OBJ_TYPE"
