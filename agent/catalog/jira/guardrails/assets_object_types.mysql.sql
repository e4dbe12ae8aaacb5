-- counts: object types
-- cost: S
-- versions: with Assets (Insight); the table is absent without it
select count(*) as total from `AO_8542F1_IFJ_OBJ_TYPE`
