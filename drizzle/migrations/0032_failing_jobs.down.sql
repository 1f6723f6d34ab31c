alter table incidents drop column details;
drop table failing_jobs;
update ingest_runs set status = 'failed' where status = 'partial';
alter table ingest_runs drop constraint ingest_runs_status_check;
alter table ingest_runs add constraint ingest_runs_status_check
  check (status in ('running', 'done', 'failed', 'abandoned'));
comment on column ingest_runs.status is 'running, done, failed, or abandoned: its process died, and another run does the job.';
