-- counts: nothing; it reads the build number of the newest version installed
-- cost: S
-- versions: 6.3 and later
select max(buildnumber) as build from confversion
