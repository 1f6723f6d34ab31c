update fleet_counters set labels = labels - 'task' || jsonb_build_object('job', labels -> 'task') where labels ? 'task';
