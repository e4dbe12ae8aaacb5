-- counts: nothing; it reads the limit that an admin has set for the comments of an issue, -1 for none
-- cost: S
-- versions: 9.0 and later
select max(s.propertyvalue) as issue_comments
from propertyentry e
join propertystring s on s.id = e.id
where e.entity_name = 'jira.properties' and e.property_key = 'jira.safeguards.issue.comments'
