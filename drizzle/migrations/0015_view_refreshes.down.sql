drop index idx_candle_revisions_summarised;
drop table view_definitions;
drop table view_refreshes;
