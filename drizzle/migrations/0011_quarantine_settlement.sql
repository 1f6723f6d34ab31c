-- What became of a row that was not believed: its candle came after all, its source took it back, or somebody decided.

alter table quarantined_rows
  add column settlement varchar(20),
  add column settled_at timestamp,
  add column settled_by varchar(100),
  add column settled_reason text,
  add constraint quarantined_rows_settlement_check check (settlement in ('loaded', 'withdrawn', 'discarded')),
  -- Whoever settles it says when and who; why is for those that are settled by hand.
  add constraint quarantined_rows_settled_check check (
    num_nulls(settlement, settled_at, settled_by) in (0, 3)
    and (settlement is distinct from 'discarded' or settled_reason is not null)
    and (settlement is not null or settled_reason is null)
  );
create index idx_quarantined_rows_series on quarantined_rows (coin_id, timeframe, timestamp);

comment on table quarantined_rows is 'Rows of an answer that were not believed, as they came, with the reason, and what became of them.';
comment on column quarantined_rows.settlement is 'NULL: open. loaded: the table has a candle for its open time. withdrawn: its source has none there any more. discarded: settled by hand, and not asked for again.';
comment on column quarantined_rows.settled_by is 'The account that ran the command.';
comment on column quarantined_rows.settled_reason is 'In the words of whoever settled it by hand.';

grant update (settlement, settled_at, settled_by, settled_reason) on quarantined_rows to beacon_ingest;
