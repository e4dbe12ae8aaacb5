-- Results of jobs.
select 1 from BUILDRESULTSUMMARY where build_type = 'BUILD'
