-- Columns, states and the queue for maintenance have the names of the glossary.

alter table instruments rename column followed_from to tracked_from;
alter table instruments rename column followed_to to tracked_to;

alter table quarantined_rows rename column settlement to resolution;
alter table quarantined_rows rename column settled_at to resolved_at;
alter table quarantined_rows rename column settled_by to resolved_by;
alter table quarantined_rows rename column settled_reason to resolved_reason;
alter table quarantined_rows rename constraint quarantined_rows_settlement_check to quarantined_rows_resolution_check;
alter table quarantined_rows rename constraint quarantined_rows_settled_check to quarantined_rows_resolved_check;

alter table market_data_daily rename column settled_at to finalized_at;

alter table incidents rename column sentence to message;

update ingest_runs set queue = 'maintenance' where queue = 'upkeep';
