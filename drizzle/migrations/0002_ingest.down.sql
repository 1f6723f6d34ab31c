drop table request_budget;
drop table quarantined_rows;
drop table candle_revisions;
drop table ingest_runs;
drop table candle_coverage;
drop table instruments;
