-- Prometheus names what it scrapes by the label "job" and renames ours: the job of a run is its task.

update fleet_counters set labels = labels - 'job' || jsonb_build_object('task', labels -> 'job') where labels ? 'job';
