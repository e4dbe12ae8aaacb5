-- counts: nothing; it reads the build number
-- cost: S
-- versions: 5 and later
select max(to_char(property_value)) as build from cwd_property where property_key = 'crowd' and property_name = 'build.number'
