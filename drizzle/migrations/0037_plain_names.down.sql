update ingest_runs set queue = 'upkeep' where queue = 'maintenance';

alter table incidents rename column message to sentence;

alter table market_data_daily rename column finalized_at to settled_at;

alter table quarantined_rows rename constraint quarantined_rows_resolved_check to quarantined_rows_settled_check;
alter table quarantined_rows rename constraint quarantined_rows_resolution_check to quarantined_rows_settlement_check;
alter table quarantined_rows rename column resolved_reason to settled_reason;
alter table quarantined_rows rename column resolved_by to settled_by;
alter table quarantined_rows rename column resolved_at to settled_at;
alter table quarantined_rows rename column resolution to settlement;

alter table instruments rename column tracked_to to followed_to;
alter table instruments rename column tracked_from to followed_from;
