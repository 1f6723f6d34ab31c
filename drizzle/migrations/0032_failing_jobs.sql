-- What a job last failed at stays known until the same work succeeds, however many other runs there are meanwhile.

alter table ingest_runs drop constraint ingest_runs_status_check;
alter table ingest_runs add constraint ingest_runs_status_check
  check (status in ('running', 'done', 'partial', 'failed', 'abandoned'));
comment on column ingest_runs.status is 'running, done, failed, partial: some markets failed and the others were loaded, or abandoned: its process died, and another run does the job.';

create table failing_jobs (
  job varchar(100) not null,
  subject_hash char(32) not null,
  subject jsonb not null,
  queue varchar(100) not null,
  status varchar(20) not null check (status in ('partial', 'failed')),
  fault varchar(100) not null,
  will_retry boolean not null,
  first_error text not null,
  last_error text not null,
  first_failed_at timestamp not null,
  last_failed_at timestamp not null check (last_failed_at >= first_failed_at),
  last_started_at timestamp not null,
  failures integer not null check (failures > 0),
  run_id uuid not null,
  primary key (job, subject_hash)
);
comment on table failing_jobs is 'Jobs whose last run failed, wholly or in part, one row for each subject; removed when it succeeds.';
comment on column failing_jobs.subject is 'The fields of the payload that distinguish one piece of work of the job from another; subject_hash is the MD5 of its text.';
comment on column failing_jobs.fault is 'The class of the error: Unavailable, RateLimited.';
comment on column failing_jobs.first_error is 'The first error since the job last succeeded: it says which alert the job belongs to.';
comment on column failing_jobs.failures is 'Failed runs since the job last succeeded, retries among them.';
comment on column failing_jobs.run_id is 'The last failed run.';

insert into failing_jobs
select job, md5(subject::text), subject, queue, 'failed', 'Error', false, coalesce(error, ''), coalesce(error, ''),
  coalesce(finished_at, started_at), coalesce(finished_at, started_at), started_at, 1, id
from (
  select distinct on (job, subject) * from ingest_runs, lateral (
    select coalesce(jsonb_object_agg(key, value), '{}') as subject from jsonb_each(
      case jsonb_typeof(payload) when 'object' then payload else '{}' end)
    where key in ('source', 'timeframe', 'coinId', 'symbol', 'view', 'from', 'to') and jsonb_typeof(value) = 'string'
  ) as of_payload
  where status in ('done', 'failed') and not will_retry and started_at > now() at time zone 'UTC' - interval '7 days'
  order by job, subject, started_at desc
) as last
where status = 'failed';

alter table incidents add column details jsonb;
comment on column incidents.details is 'Of failed runs: cause, jobs, first and last time, count.';

grant select on failing_jobs to beacon_readonly;
grant select, insert, update, delete on failing_jobs to beacon_ingest;
