-- counts: links between issues
-- cost: L
-- versions: 8.3 and later
-- estimate: issuelink as total
select count(*) as total from issuelink
