-- What was settled is open again; the rights on the columns go with them.
comment on table quarantined_rows is 'Rows of an answer that were not believed, as they came, with the reason.';
drop index idx_quarantined_rows_series;
alter table quarantined_rows
  drop constraint quarantined_rows_settled_check,
  drop constraint quarantined_rows_settlement_check,
  drop column settled_reason,
  drop column settled_by,
  drop column settled_at,
  drop column settlement;
