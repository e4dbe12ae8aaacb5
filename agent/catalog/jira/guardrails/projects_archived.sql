-- counts: projects that are not archived, and archived ones; the mark of an archived project is a property of it
-- cost: S
-- versions: 8.3 and later
-- null: zero
select
  sum(case when a.entity_id is null then 1 else 0 end) as active,
  sum(case when a.entity_id is null then 0 else 1 end) as archived
from project p
left join (
  select distinct entity_id from propertyentry where property_key = 'jira.archiving.projects'
) a on a.entity_id = p.id
