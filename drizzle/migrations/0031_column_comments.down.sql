-- The comments as they were; most columns had none.

comment on column alerts.id is null;
comment on column alerts.user_id is null;
comment on column alerts.type is null;
comment on column alerts.coin_symbol is null;
comment on column alerts.condition is null;
comment on column alerts.created_at is null;
comment on column alerts.expires_at is null;
comment on column alerts.triggered_at is null;
comment on column alerts.notification_channels is null;
comment on column alerts.recurring is null;
comment on column alerts.note is null;
comment on column api_connections.id is null;
comment on column api_connections.user_id is null;
comment on column api_connections.provider is null;
comment on column api_connections.name is null;
comment on column api_connections.created_at is null;
comment on column api_connections.updated_at is null;
comment on column api_connections.permissions is null;
comment on column api_connections.status is null;
comment on column archive_checks.id is null;
comment on column archive_checks.checked_at is null;
comment on column archive_checks.duration_ms is null;
comment on column archive_checks.series is null;
comment on column archive_checks.live_rows is null;
comment on column archive_checks.archived_rows is null;
comment on column archive_checks.files is null;
comment on column archive_digests.archive_id is null;
comment on column archive_digests.coin_id is null;
comment on column archive_digests.bucket is null;
comment on column archive_digests.rows is null;
comment on column archive_digests.sum_high is null;
comment on column archive_digests.sum_low is null;
comment on table archives is
  'One row for each file of the archive, written before the file is begun: what it holds, where it lies, and whether it was read back.';
comment on column archives.id is null;
comment on column archives.table_name is 'What its rows are put back into.';
comment on column archives.partition_name is
  'What the partition was called, for people; NULL where rows were archived one by one.';
comment on column archives.range_from is null;
comment on column archives.range_to is null;
comment on column archives.file_name is null;
comment on column archives.row_count is null;
comment on column archives.bytes is null;
comment on column archives.sha256 is null;
comment on column archives.created_at is null;
comment on column archives.verified_at is null;
comment on column archives.dropped_at is null;
comment on column archives.restored_at is null;
comment on column audit_logs.id is null;
comment on column audit_logs.table_name is null;
comment on column backtest_results.id is null;
comment on column backtest_results.strategy_id is null;
comment on column backtest_results.user_id is null;
comment on column backtest_results.start_date is null;
comment on column backtest_results.end_date is null;
comment on column backtest_results.initial_capital is null;
comment on column backtest_results.final_capital is null;
comment on column backtest_results.returns is null;
comment on column backtest_results.win_rate is null;
comment on column backtest_results.trades_count is null;
comment on column backtest_results.max_drawdown is null;
comment on column backtest_results.sharpe_ratio is null;
comment on column backtest_results.profit_factor is null;
comment on column backtest_results.results_data is null;
comment on column backtest_results.created_at is null;
comment on table candle_coverage is
  'What is known of each series, as ranges of open times, written in the transaction that writes the candles. Owed is what is wanted and neither stored, no-trades nor refused.';
comment on column candle_coverage.coin_id is null;
comment on column candle_coverage.timeframe is null;
comment on column candle_coverage.source is null;
comment on column candle_coverage.state is
  'stored: in ohlcv_data. no-trades: the source answered without a candle. refused: quarantined. provisional, a part of stored: not yet seen unchanged after its close. recheck-after-day and recheck-after-month, parts of no-trades and refused: not asked about since the candles were so old.';
comment on column candle_coverage.ranges is null;
comment on column candle_coverage.updated_at is null;
comment on column candle_digests.coin_id is null;
comment on column candle_digests.timeframe is null;
comment on column candle_digests.sum_low is null;
comment on table candle_revisions is
  'A closed candle that its exchange changed afterwards: the values before and after.';
comment on column candle_revisions.coin_id is null;
comment on column candle_revisions.timeframe is null;
comment on column candle_revisions.timestamp is null;
comment on column candle_revisions.revised_at is null;
comment on column candle_revisions.source is null;
comment on column candle_revisions.run_id is null;
comment on column candle_revisions.old_open is null;
comment on column candle_revisions.old_high is null;
comment on column candle_revisions.old_low is null;
comment on column candle_revisions.old_close is null;
comment on column candle_revisions.old_volume is null;
comment on column candle_revisions.new_open is null;
comment on column candle_revisions.new_high is null;
comment on column candle_revisions.new_low is null;
comment on column candle_revisions.new_close is null;
comment on column candle_revisions.new_volume is null;
comment on table coins is 'Every coin that prices, candles or positions speak of; ids are CoinGecko''s.';
comment on column coins.id is null;
comment on column coins.symbol is null;
comment on column coins.name is null;
comment on column coins.image_url is null;
comment on column coins.description is null;
comment on column coins.website is null;
comment on column coins.whitepaper is null;
comment on column coins.blockchain_type is null;
comment on column coins.created_at is null;
comment on column coins.updated_at is null;
comment on column daily_price_summary.coin_id is null;
comment on column daily_price_summary.day is null;
comment on column daily_price_summary.open is null;
comment on column daily_price_summary.high is null;
comment on column daily_price_summary.low is null;
comment on column daily_price_summary.close is null;
comment on column daily_price_summary.volume is null;
comment on column daily_price_summary.candles is
  'How many of the day''s 24 hourly candles it was made of; 0 where it comes from the daily candle.';
comment on column database_samples.sampled_at is null;
comment on column database_samples.average_query_ms is
  'Over the minute before; null where there was no sample before it, and before version 14.';
comment on column database_samples.ping_ms is 'How long the smallest statement took, with its way there and back.';
comment on column database_samples.cache_hit_ratio is
  'Over the minute before: blocks found in shared buffers, of all that were asked for.';
comment on column database_samples.index_scan_ratio is 'Over the minute before: scans that used an index, of all.';
comment on column database_samples.connections_active is null;
comment on column database_samples.connections_idle is null;
comment on column database_samples.connections_waiting is 'Those that wait for a lock.';
comment on column database_samples.connections_max is null;
comment on column database_samples.database_bytes is null;
comment on column database_samples.disk_free_bytes is 'Null where the server''s disk cannot be seen from here.';
comment on column database_samples.counters is
  'The server''s running totals, from which the next sample is worked out.';
comment on table fleet_counters is
  'What the processes of the fleet have counted since ever: each adds what is new every few seconds. For /metrics, never for accounts.';
comment on column fleet_counters.name is
  'As Prometheus calls it; of a histogram also its buckets, its sum and its count.';
comment on column fleet_counters.labels is null;
comment on column fleet_counters.value is null;
comment on column fleet_counters.updated_at is null;
comment on table incidents is 'What somebody was told to look at, from when to when. Of one kind at most one is open.';
comment on column incidents.id is null;
comment on column incidents.key is null;
comment on column incidents.sentence is null;
comment on column incidents.opened_at is null;
comment on column incidents.resolved_at is null;
comment on table ingest_runs is
  'One row for each time a job ran: the truth about what was done, which the queue forgets.';
comment on column ingest_runs.id is null;
comment on column ingest_runs.job is null;
comment on column ingest_runs.queue is null;
comment on column ingest_runs.job_id is null;
comment on column ingest_runs.attempt is null;
comment on column ingest_runs.payload is null;
comment on column ingest_runs.status is 'abandoned: the process died in the middle; another run took the job up again.';
comment on column ingest_runs.will_retry is null;
comment on column ingest_runs.started_at is null;
comment on column ingest_runs.finished_at is null;
comment on column ingest_runs.outcome is null;
comment on column ingest_runs.error is null;
comment on table instrument_renames is
  'When a followed market took another name. Only what its source has proven stands here.';
comment on column instrument_renames.coin_id is null;
comment on column instrument_renames.source is null;
comment on column instrument_renames.old_symbol is null;
comment on column instrument_renames.new_symbol is
  'The same as before where the source renamed the coin and kept the symbol.';
comment on column instrument_renames.old_base is null;
comment on column instrument_renames.new_base is null;
comment on column instrument_renames.renamed_at is 'The look that found the new name.';
comment on table instruments is
  'Which market on which source stands for a coin, and from when to when. The first by preference that is still followed is read.';
comment on column instruments.coin_id is null;
comment on column instruments.source is null;
comment on column instruments.symbol is 'In the source''s own spelling.';
comment on column instruments.preference is null;
comment on column instruments.followed_from is null;
comment on column instruments.followed_to is 'Set when the coin was removed; its data stays.';
comment on column instruments.listed_from is
  'Earlier candles of this symbol belong to what it stood for before; null where nothing is known of that.';
comment on column instruments.listed_to is
  'When the market ended on its source: it has no candle that opens then or later. Null while it lives.';
comment on column instruments.last_listed_at is
  'The last look at the listing in which it was there. What was never there is misspelt rather than ended.';
comment on column instruments.missing_since is
  'The first look at the listing in which it was not there, while that is not yet believed.';
comment on column instruments.relisted_at is
  'When its symbol was seen in the listing again after its end: it may be another coin now, and is not followed.';
comment on table listed_markets is 'What each source listed when it was last looked at, followed or not.';
comment on column listed_markets.source is null;
comment on column listed_markets.symbol is null;
comment on column listed_markets.base is 'In the common spelling (BTC), as are quotes.';
comment on column listed_markets.quote is null;
comment on column listed_markets.also_called is 'What else the source calls it.';
comment on column listed_markets.listed_at is 'Since when it is listed, where the source tells.';
comment on column listed_markets.appeared_at is
  'The first look in which it was there, and has been in every one since.';
comment on column listed_markets.last_seen_at is
  'The last look in which it was there. What is not there any more stays here.';
comment on column listed_markets.own_base is
  'What the source itself calls the base, where that is not the usual ticker.';
comment on column listed_markets.base_name is
  'The full name of the base, where the source tells: of two coins with one ticker it differs.';
comment on column listed_markets.kind is 'What the base is where it is no coin: a tokenised share, a leveraged token.';
comment on column locks.name is null;
comment on table market_data is
  'Prices in USD as a source gave them, by day: percent is percent, volume is of 24 hours; NULL where the source does not know.';
comment on column market_data.id is null;
comment on column market_data.coin_id is null;
comment on column market_data.price is null;
comment on column market_data.market_cap is null;
comment on column market_data.volume_24h is null;
comment on column market_data.change_24h is null;
comment on column market_data.timestamp is null;
comment on column market_data.rank is null;
comment on column market_data.circulating_supply is null;
comment on column market_data.max_supply is null;
comment on table market_data_daily is
  'One row for each coin and UTC day of prices that are no longer kept one by one; in USD.';
comment on column market_data_daily.coin_id is null;
comment on column market_data_daily.day is null;
comment on column market_data_daily.open is null;
comment on column market_data_daily.high is null;
comment on column market_data_daily.low is null;
comment on column market_data_daily.close is null;
comment on column market_data_daily.average_price is
  'The mean of all samples, each counted once, rounded to 8 decimals.';
comment on column market_data_daily.market_cap is
  'The last one of the day that its source knew, as are volume_24h, rank and both supplies.';
comment on column market_data_daily.volume_24h is null;
comment on column market_data_daily.rank is null;
comment on column market_data_daily.circulating_supply is null;
comment on column market_data_daily.max_supply is null;
comment on column market_data_daily.samples is 'Of how many prices it was made.';
comment on column market_data_daily.first_at is 'When the first of its prices was, and last_at the last one.';
comment on column market_data_daily.last_at is null;
comment on column market_data_daily.settled_at is
  'When the prices it was made of were dropped: nothing changes it any more.';
comment on column notifications.id is null;
comment on column notifications.user_id is null;
comment on column notifications.type is null;
comment on column notifications.title is null;
comment on column notifications.message is null;
comment on column notifications.created_at is null;
comment on column notifications.read_at is null;
comment on column notifications.source_type is null;
comment on column notifications.priority is null;
comment on column ohlcv_data.coin_id is null;
comment on column ohlcv_data.timestamp is null;
comment on column ohlcv_data.timeframe is null;
comment on column ohlcv_data.open is null;
comment on column ohlcv_data.high is null;
comment on column ohlcv_data.low is null;
comment on column ohlcv_data.close is null;
comment on column ohlcv_data.volume is null;
comment on column partition_holds.schema_name is null;
comment on column partition_holds.name is null;
comment on column partition_holds.parent is null;
comment on column partition_holds.holds_to is null;
comment on column partition_holds.reason is null;
comment on column partition_holds.held_since is null;
comment on column positions.id is null;
comment on column positions.account_id is null;
comment on column positions.coin_symbol is null;
comment on column positions.amount is null;
comment on column positions.entry_price is null;
comment on column positions.current_price is null;
comment on column positions.opened_at is null;
comment on column positions.updated_at is null;
comment on column positions.stop_loss is null;
comment on column positions.take_profit is null;
comment on column profiles.created_at is null;
comment on column profiles.updated_at is null;
comment on column profiles.preferences is null;
comment on table quarantined_rows is
  'Rows of an answer that were not believed, as they came, with the reason, and what became of them.';
comment on column quarantined_rows.id is null;
comment on column quarantined_rows.source is null;
comment on column quarantined_rows.market is null;
comment on column quarantined_rows.coin_id is null;
comment on column quarantined_rows.timeframe is null;
comment on column quarantined_rows.timestamp is null;
comment on column quarantined_rows.reason is 'As it was the last time, as are raw and run_id.';
comment on column quarantined_rows.raw is null;
comment on column quarantined_rows.run_id is null;
comment on column quarantined_rows.settlement is
  'NULL: open. loaded: the table has a candle for its open time. withdrawn: its source has none there any more. discarded: resolved by hand, and not asked for again. accepted: stored by hand. superseded: the same answer held a later state of the candle.';
comment on column quarantined_rows.settled_at is null;
comment on column quarantined_rows.settled_by is 'The account that ran the command.';
comment on column quarantined_rows.settled_reason is 'In the words of whoever settled it by hand.';
comment on column quarantined_rows.candle is
  'Open, high, low, close and volume as texts, where the row could be stored; NULL where it never can be.';
comment on column quarantined_rows.kind is
  'The reason without its numbers and times, and of a candle that can be accepted a hash of its values. The same kind for the same row again is counted, not kept twice.';
comment on column quarantined_rows.times_seen is 'In how many answers it was rejected.';
comment on column quarantined_rows.last_seen_at is null;
comment on table request_budget is
  'How much of each source''s rate limit the fleet has used; where Redis is the queue, it is kept there instead.';
comment on column request_budget.key is null;
comment on column request_budget.points is null;
comment on column request_budget.expire is 'When the time runs out: microseconds of the database''s clock.';
comment on column scheduler_presence.queue_engine is null;
comment on column schema_migrations.name is null;
comment on column schema_migrations.sha256 is null;
comment on column schema_migrations.applied_at is null;
comment on column summary_days.coin_id is null;
comment on column summary_days.day is null;
comment on column summary_days.open is null;
comment on column summary_days.high is null;
comment on column summary_days.low is null;
comment on column summary_days.close is null;
comment on column trades.id is null;
comment on column trades.account_id is null;
comment on column trades.coin_symbol is null;
comment on column trades.price is null;
comment on column trades.amount is null;
comment on column trades.total is null;
comment on column trades.executed_at is null;
comment on column trades.strategy_id is null;
comment on column trades.profit_loss is null;
comment on column trading_accounts.id is null;
comment on column trading_accounts.user_id is null;
comment on column trading_accounts.name is null;
comment on column trading_accounts.balance is null;
comment on column trading_accounts.initial_balance is null;
comment on column trading_accounts.currency is null;
comment on column trading_accounts.created_at is null;
comment on column trading_accounts.updated_at is null;
comment on column trading_strategies.id is null;
comment on column trading_strategies.user_id is null;
comment on column trading_strategies.name is null;
comment on column trading_strategies.description is null;
comment on column trading_strategies.type is null;
comment on column trading_strategies.timeframe is null;
comment on column trading_strategies.parameters is null;
comment on column trading_strategies.assets is null;
comment on column trading_strategies.created_at is null;
comment on column trading_strategies.updated_at is null;
comment on column trading_strategies.is_active is null;
comment on column trading_strategies.risk_level is null;
comment on column users.id is null;
comment on column users.created_at is null;
comment on column users.updated_at is null;
comment on column users.last_login is null;
comment on table view_definitions is
  'Materialized views that were made from a file of drizzle/views, and the hash of its text: another text makes them anew.';
comment on column view_definitions.view is null;
comment on column view_definitions.sha256 is null;
comment on column view_definitions.made_at is null;
comment on column view_refreshes.id is null;
comment on column view_refreshes.view is null;
comment on column view_refreshes.refreshed_at is null;
comment on column view_refreshes.duration_ms is null;
comment on column view_refreshes.rows is null;
comment on column view_refreshes.fingerprint is
  'Of the candles of those days as the ledger had them just before: when it differs, the view is out of date.';
comment on column view_refreshes.incomplete is
  'Hourly candles of the last of those days that could not be had in time, by coin.';
comment on column view_refreshes.run_id is null;
comment on column web_presence.queue_engine is null;
comment on table webhook_deliveries is 'What the webhook is to be told of incidents, until it has been.';
comment on column webhook_deliveries.id is null;
comment on column webhook_deliveries.incident_id is null;
comment on column webhook_deliveries.event is null;
comment on column webhook_deliveries.attempts is null;
comment on column webhook_deliveries.due_at is null;
comment on column webhook_deliveries.delivered_at is null;
comment on column webhook_deliveries.error is null;
comment on column worker_presence.queue_engine is null;
comment on table alerts is 'What a user wants to be told of.';
comment on table notifications is 'What a user was told; archived after 90 days.';
comment on column audit_logs.user_id is
  'For whom the session said it acted (app.user_id); NULL when for no user (upkeep, an administrator).';
comment on column profiles.avatar_url is 'Encrypted by the application: many such addresses tell who it is.';
