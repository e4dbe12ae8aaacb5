-- counts: values of custom fields
-- cost: L
-- versions: 8.3 and later
-- estimate: customfieldvalue as total
select count(*) as total from customfieldvalue
