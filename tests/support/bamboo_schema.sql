-- The tables that published SQL for Bamboo names; no schema of it is known. Runs on SQLite, PostgreSQL and MariaDB.
create table buildresultsummary (buildresultsummary_id bigint not null primary key, build_key varchar(255), build_number integer, build_type varchar(255) not null, build_state varchar(255), processing_duration bigint);
create table build (build_id bigint not null primary key, full_key varchar(255), build_type varchar(255) not null, title varchar(255), project_id bigint);
create table project (project_id bigint not null primary key, project_key varchar(255), title varchar(255));
create table queue (queue_id bigint not null primary key, agent_type varchar(255), title varchar(255));
