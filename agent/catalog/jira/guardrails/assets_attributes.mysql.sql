-- counts: attributes of objects
-- cost: L
-- versions: with Assets (Insight); the table is absent without it
-- estimate: AO_8542F1_IFJ_OBJ_ATTR as total
select count(*) as total from `AO_8542F1_IFJ_OBJ_ATTR`
