-- counts: values of attributes
-- cost: L
-- versions: with Assets (Insight); the table is absent without it
-- estimate: AO_8542F1_IFJ_OBJ_ATTR_VAL as total
select count(*) as total from "AO_8542F1_IFJ_OBJ_ATTR_VAL"
