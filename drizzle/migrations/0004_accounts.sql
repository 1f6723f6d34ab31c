-- Who uses the hub, what they trade, and what they asked for: as the schema document specifies them.
-- Columns, types and nullability are the document's; what a deletion takes along is said at each foreign key.

create table users (
  id uuid primary key default gen_random_uuid(),
  email varchar(255) not null,
  password varchar(255) not null,
  created_at timestamp not null,
  updated_at timestamp not null,
  last_login timestamp,
  status varchar(50) not null,
  tier varchar(50) not null,
  -- The index that UNIQUE needs anyway is the one for logins: a second one would only cost.
  constraint idx_users_email unique (email),
  constraint users_status_known check (status in ('active', 'suspended'))
);
comment on table users is 'The hub''s users. A row belongs to the user whose id it bears.';
comment on column users.email is 'Encrypted by the application in the same way each time, so that it is unique and can be looked up.';
comment on column users.status is 'active, or suspended: may not log in.';
comment on column users.password is 'A hash made by the application; never the password.';

create table profiles (
  id uuid primary key,
  display_name varchar(255),
  avatar_url varchar(255),
  created_at timestamp not null,
  updated_at timestamp not null,
  preferences jsonb,
  constraint profiles_id_fkey foreign key (id) references users (id) on delete cascade
);
comment on table profiles is 'How a user wants to be seen, and what the hub should remember for them; one at most for each user.';
comment on column profiles.id is 'The user''s id.';
comment on column profiles.display_name is 'Encrypted by the application.';
comment on column profiles.avatar_url is 'Encrypted by the application: many such addresses tell who it is.';
comment on constraint profiles_id_fkey on profiles is 'ON DELETE CASCADE: a profile says nothing without its user.';

create table trading_accounts (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  name varchar(255) not null,
  balance decimal(24, 8) not null,
  initial_balance decimal(24, 8) not null,
  currency varchar(10) not null,
  created_at timestamp not null,
  updated_at timestamp not null,
  constraint trading_accounts_user_id_fkey foreign key (user_id) references users (id) on delete restrict,
  -- NaN is greater than every number and spoils every sum.
  constraint trading_accounts_numbers check (balance <> 'NaN' and initial_balance <> 'NaN')
);
create index idx_trading_accounts_user on trading_accounts (user_id);
comment on table trading_accounts is 'The accounts a user trades with.';
comment on constraint trading_accounts_user_id_fkey on trading_accounts is
  'ON DELETE RESTRICT: money and its history are not lost by deleting a user; the accounts are closed first.';

create table trading_strategies (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  name varchar(255) not null,
  description text,
  type varchar(50) not null,
  timeframe varchar(10) not null,
  parameters jsonb not null,
  assets varchar[] not null,
  created_at timestamp not null,
  updated_at timestamp not null,
  is_active boolean not null,
  risk_level varchar(20),
  constraint trading_strategies_user_id_fkey foreign key (user_id) references users (id) on delete cascade
);
create index idx_trading_strategies_user on trading_strategies (user_id);
comment on table trading_strategies is 'The rules by which the hub trades for a user.';
comment on constraint trading_strategies_user_id_fkey on trading_strategies is
  'ON DELETE CASCADE: a strategy is its user''s own; the trades made by it stay, without naming it.';

create table positions (
  id uuid primary key default gen_random_uuid(),
  account_id uuid not null,
  coin_id varchar(50) not null,
  coin_symbol varchar(20) not null,
  amount decimal(24, 8) not null,
  entry_price decimal(24, 8) not null,
  current_price decimal(24, 8) not null,
  opened_at timestamp not null,
  updated_at timestamp not null,
  stop_loss decimal(24, 8),
  take_profit decimal(24, 8),
  constraint positions_account_id_fkey foreign key (account_id) references trading_accounts (id) on delete cascade,
  constraint positions_numbers check (
    amount <> 'NaN' and entry_price >= 0 and entry_price <> 'NaN' and current_price >= 0 and current_price <> 'NaN'
    and stop_loss >= 0 and stop_loss <> 'NaN' and take_profit >= 0 and take_profit <> 'NaN'
  )
);
create index idx_positions_account on positions (account_id);
comment on table positions is 'What an account holds now. An amount below zero is a short position.';
comment on column positions.coin_id is 'As in coins, but no foreign key, as the document has it: an account may hold what we do not follow.';
comment on constraint positions_account_id_fkey on positions is
  'ON DELETE CASCADE: a position is a state of its account, and what led to it is in its trades.';

create table trades (
  id uuid primary key default gen_random_uuid(),
  account_id uuid not null,
  coin_id varchar(50) not null,
  coin_symbol varchar(20) not null,
  type varchar(10) not null,
  price decimal(24, 8) not null,
  amount decimal(24, 8) not null,
  fee decimal(24, 8) not null,
  total decimal(24, 8) not null,
  executed_at timestamp not null,
  strategy_id uuid,
  profit_loss decimal(24, 8),
  constraint trades_account_id_fkey foreign key (account_id) references trading_accounts (id) on delete restrict,
  constraint trades_strategy_id_fkey foreign key (strategy_id) references trading_strategies (id) on delete set null,
  constraint trades_type_known check (type in ('buy', 'sell')),
  constraint trades_numbers check (
    price >= 0 and price <> 'NaN' and amount >= 0 and amount <> 'NaN' and fee <> 'NaN' and total <> 'NaN'
    and profit_loss <> 'NaN'
  )
);
create index idx_trades_account_time on trades (account_id, executed_at);
create index idx_trades_strategy on trades (strategy_id);
comment on table trades is 'What was bought and sold; kept for ever.';
comment on column trades.coin_id is 'As in coins, but no foreign key, as the document has it: an account may trade what we do not follow.';
comment on column trades.type is 'buy or sell.';
comment on column trades.fee is 'Below zero where the exchange paid one.';
comment on constraint trades_account_id_fkey on trades is
  'ON DELETE RESTRICT: trades are kept for ever, so an account that has any cannot be deleted.';
comment on constraint trades_strategy_id_fkey on trades is
  'ON DELETE SET NULL: a trade happened whatever becomes of the strategy behind it.';

create table backtest_results (
  id uuid primary key default gen_random_uuid(),
  strategy_id uuid not null,
  user_id uuid not null,
  start_date timestamp not null,
  end_date timestamp not null,
  initial_capital decimal(24, 8) not null,
  final_capital decimal(24, 8) not null,
  returns decimal(10, 2) not null,
  win_rate decimal(10, 2) not null,
  trades_count integer not null,
  max_drawdown decimal(10, 2) not null,
  sharpe_ratio decimal(10, 2),
  profit_factor decimal(10, 2),
  results_data jsonb not null,
  created_at timestamp not null,
  constraint backtest_results_strategy_id_fkey foreign key (strategy_id) references trading_strategies (id) on delete cascade,
  constraint backtest_results_user_id_fkey foreign key (user_id) references users (id) on delete cascade,
  constraint backtest_results_dates check (start_date <= end_date),
  constraint backtest_results_numbers check (
    initial_capital <> 'NaN' and final_capital <> 'NaN' and returns <> 'NaN' and win_rate <> 'NaN'
    and max_drawdown <> 'NaN' and sharpe_ratio <> 'NaN' and profit_factor <> 'NaN' and trades_count >= 0
  )
);
create index idx_backtest_results_strategy on backtest_results (strategy_id);
create index idx_backtest_results_user on backtest_results (user_id);
comment on table backtest_results is 'How a strategy would have done.';
comment on constraint backtest_results_strategy_id_fkey on backtest_results is
  'ON DELETE CASCADE: a result can be computed again, and means nothing without its strategy.';
comment on constraint backtest_results_user_id_fkey on backtest_results is
  'ON DELETE CASCADE: a result is its user''s own.';

create table alerts (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  type varchar(50) not null,
  coin_id varchar(50) not null,
  coin_symbol varchar(20) not null,
  condition jsonb not null,
  created_at timestamp not null,
  expires_at timestamp,
  triggered_at timestamp,
  status varchar(20) not null,
  notification_channels varchar[],
  recurring boolean,
  note text,
  constraint alerts_user_id_fkey foreign key (user_id) references users (id) on delete cascade,
  constraint alerts_status_known check (status in ('active', 'triggered', 'paused', 'expired', 'cancelled'))
);
create index idx_alerts_user_status on alerts (user_id, status);
comment on table alerts is 'What a user wants to be told of.';
comment on column alerts.coin_id is 'As in coins, but no foreign key, as the document has it.';
comment on column alerts.status is
  'active: watched. triggered: it happened. paused: not watched for now. expired: its time passed. cancelled: no longer wanted.';
comment on constraint alerts_user_id_fkey on alerts is 'ON DELETE CASCADE: nobody is left to be told.';

create table notifications (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  type varchar(50) not null,
  title varchar(255) not null,
  message text not null,
  created_at timestamp not null,
  read_at timestamp,
  source_id uuid,
  source_type varchar(50),
  priority varchar(20) not null,
  constraint notifications_user_id_fkey foreign key (user_id) references users (id) on delete cascade
);
create index idx_notifications_user_time on notifications (user_id, created_at);
comment on table notifications is 'What a user was told; archived after 90 days.';
comment on column notifications.source_id is 'The id of what triggered it, in the table that source_type names.';
comment on constraint notifications_user_id_fkey on notifications is 'ON DELETE CASCADE: nobody is left to read it.';

create table api_connections (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  provider varchar(50) not null,
  name varchar(100) not null,
  api_key varchar(255) not null,
  api_secret varchar(255),
  passphrase varchar(255),
  created_at timestamp not null,
  updated_at timestamp not null,
  permissions varchar[],
  status varchar(20) not null,
  constraint api_connections_user_id_fkey foreign key (user_id) references users (id) on delete cascade
);
create index idx_api_connections_user on api_connections (user_id);
comment on table api_connections is 'A user''s access to an exchange.';
comment on column api_connections.api_key is 'Encrypted by the application.';
comment on column api_connections.api_secret is 'Encrypted by the application.';
comment on column api_connections.passphrase is 'Encrypted by the application.';
comment on constraint api_connections_user_id_fkey on api_connections is
  'ON DELETE CASCADE: no key is kept of a user who has left.';
