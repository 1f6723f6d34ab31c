import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect } from 'vitest'
import { apiVersion } from '../../../src/market/api-version.ts'
import { servers } from '../../support/database.ts'
import { testOn } from '../on-server.ts'

/**
 * What applications know of version 1. A column may be added to the end of a view; any other change is version 2, beside
 * this one (docs/migrations.md).
 */
const versionOne: Readonly<Record<string, readonly string[]>> = {
  alerts: [
    'id uuid',
    'user_id uuid',
    'type character varying(50)',
    'coin_id character varying(50)',
    'coin_symbol character varying(20)',
    'condition jsonb',
    'created_at timestamp without time zone',
    'expires_at timestamp without time zone',
    'triggered_at timestamp without time zone',
    'status character varying(20)',
    'notification_channels character varying[]',
    'recurring boolean',
    'note text',
  ],
  api_connections: [
    'id uuid',
    'user_id uuid',
    'provider character varying(50)',
    'name character varying(100)',
    'created_at timestamp without time zone',
    'updated_at timestamp without time zone',
    'permissions character varying[]',
    'status character varying(20)',
  ],
  audit_logs: [
    'id uuid',
    'table_name character varying(100)',
    'operation character varying(10)',
    'user_id uuid',
    'record_id uuid',
    'old_data jsonb',
    'new_data jsonb',
    'timestamp timestamp without time zone',
  ],
  backtest_results: [
    'id uuid',
    'strategy_id uuid',
    'user_id uuid',
    'start_date timestamp without time zone',
    'end_date timestamp without time zone',
    'initial_capital numeric(24,8)',
    'final_capital numeric(24,8)',
    'returns numeric(10,2)',
    'win_rate numeric(10,2)',
    'trades_count integer',
    'max_drawdown numeric(10,2)',
    'sharpe_ratio numeric(10,2)',
    'profit_factor numeric(10,2)',
    'results_data jsonb',
    'created_at timestamp without time zone',
  ],
  coins: [
    'id character varying(50)',
    'symbol character varying(20)',
    'name character varying(100)',
    'image_url character varying(255)',
    'description text',
    'website character varying(255)',
    'whitepaper character varying(255)',
    'blockchain_type character varying(50)',
    'created_at timestamp without time zone',
    'updated_at timestamp without time zone',
  ],
  daily_price_summary: [
    'coin_id character varying(50)',
    'day timestamp without time zone',
    'open numeric',
    'high numeric',
    'low numeric',
    'close numeric',
    'volume numeric',
    'candles integer',
  ],
  market_data: [
    'id uuid',
    'coin_id character varying(50)',
    'price numeric(24,8)',
    'market_cap numeric(32,2)',
    'volume_24h numeric(32,2)',
    'change_24h numeric(10,2)',
    'timestamp timestamp without time zone',
    'rank integer',
    'circulating_supply numeric(30,8)',
    'max_supply numeric(30,8)',
  ],
  market_data_daily: [
    'coin_id character varying(50)',
    'day date',
    'open numeric(24,8)',
    'high numeric(24,8)',
    'low numeric(24,8)',
    'close numeric(24,8)',
    'average_price numeric(24,8)',
    'market_cap numeric(32,2)',
    'volume_24h numeric(32,2)',
    'rank integer',
    'circulating_supply numeric(30,8)',
    'max_supply numeric(30,8)',
    'samples integer',
  ],
  notifications: [
    'id uuid',
    'user_id uuid',
    'type character varying(50)',
    'title character varying(255)',
    'message text',
    'created_at timestamp without time zone',
    'read_at timestamp without time zone',
    'source_id uuid',
    'source_type character varying(50)',
    'priority character varying(20)',
  ],
  ohlcv_data: [
    'coin_id character varying(50)',
    'timestamp timestamp without time zone',
    'timeframe character varying(10)',
    'open numeric(24,8)',
    'high numeric(24,8)',
    'low numeric(24,8)',
    'close numeric(24,8)',
    'volume numeric(32,8)',
  ],
  positions: [
    'id uuid',
    'account_id uuid',
    'coin_id character varying(50)',
    'coin_symbol character varying(20)',
    'amount numeric(24,8)',
    'entry_price numeric(24,8)',
    'current_price numeric(24,8)',
    'opened_at timestamp without time zone',
    'updated_at timestamp without time zone',
    'stop_loss numeric(24,8)',
    'take_profit numeric(24,8)',
  ],
  profiles: [
    'id uuid',
    'display_name character varying(255)',
    'avatar_url character varying(255)',
    'created_at timestamp without time zone',
    'updated_at timestamp without time zone',
    'preferences jsonb',
  ],
  trades: [
    'id uuid',
    'account_id uuid',
    'coin_id character varying(50)',
    'coin_symbol character varying(20)',
    'type character varying(10)',
    'price numeric(24,8)',
    'amount numeric(24,8)',
    'fee numeric(24,8)',
    'total numeric(24,8)',
    'executed_at timestamp without time zone',
    'strategy_id uuid',
    'profit_loss numeric(24,8)',
  ],
  trading_accounts: [
    'id uuid',
    'user_id uuid',
    'name character varying(255)',
    'balance numeric(24,8)',
    'initial_balance numeric(24,8)',
    'currency character varying(10)',
    'created_at timestamp without time zone',
    'updated_at timestamp without time zone',
  ],
  trading_strategies: [
    'id uuid',
    'user_id uuid',
    'name character varying(255)',
    'description text',
    'type character varying(50)',
    'timeframe character varying(10)',
    'parameters jsonb',
    'assets character varying[]',
    'created_at timestamp without time zone',
    'updated_at timestamp without time zone',
    'is_active boolean',
    'risk_level character varying(20)',
  ],
  users: [
    'id uuid',
    'email character varying(255)',
    'created_at timestamp without time zone',
    'updated_at timestamp without time zone',
    'last_login timestamp without time zone',
    'status character varying(50)',
    'tier character varying(50)',
  ],
}

describe.each(servers.map(({ server, clusterUrl }) => ({ server, test: testOn(clusterUrl) })))(
  'what applications read, on $server',
  ({ test }) => {
    test('has the columns and types of its version, in their order', async ({ client }) => {
      const { rows } = await client.query<{ view: string; columns: string[] }>(
        `select relname as view, array_agg(attname || ' ' || format_type(atttypid, atttypmod) order by attnum) as columns
         from pg_class join pg_attribute on attrelid = pg_class.oid and attnum > 0
         where relnamespace = to_regnamespace($1) group by relname order by relname`,
        [`api_${apiVersion}`],
      )
      expect(Object.fromEntries(rows.map(({ view, columns }) => [view, columns]))).toEqual(versionOne)
    })

    test('is one version alone, or says when the one before is removed', async ({ client }) => {
      const { rows } = await client.query<{ name: string; comment: string }>(
        `select nspname as name, obj_description(oid, 'pg_namespace') as comment from pg_namespace
         where nspname ~ '^api' and nspname <> $1`,
        [`api_${apiVersion}`],
      )
      for (const { name, comment } of rows)
        expect([name, comment]).toEqual([name, expect.stringMatching(/removed on 20\d\d-\d\d-\d\d/)])
    })

    test('is what our own queries read', () => {
      const folder = new URL('../../../src/queries/', import.meta.url)
      const read = readdirSync(folder).flatMap((file) =>
        [...readFileSync(new URL(file, folder), 'utf8').matchAll(/\b(?:from|join) (\w+)\./g)].map(
          ([, schema]) => schema,
        ),
      )
      expect(new Set(read)).toEqual(new Set([`api_${apiVersion}`]))
    })
  },
)
