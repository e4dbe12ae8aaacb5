-- Results of jobs.
select 1 from buildresultsummary where build_type = 'BUILD'
