import type { ClientBase } from 'pg'
import { describe, expect, test as plainTest } from 'vitest'
import { ensurePartitions } from '../../../src/store/partitions/create-partitions.ts'
import { candleTable, partitionsOf } from '../../../src/store/partitions.ts'
import { readText } from '../../ground/project.ts'
import { servers } from '../../support/database.ts'
import { at } from '../loading.ts'
import { testOn } from '../on-server.ts'
import { type Facts, readDocument, tablesOf } from './document.ts'

const text = readText('docs/database-schema.md')
const document = readDocument(text)

/** Where the database is deliberately not what the document says; `document` is undefined where that says nothing. */
const departures: readonly Readonly<{ of: string; document?: string; database: string; reason: string }>[] = [
  {
    of: 'market_data partitioned by',
    database: 'RANGE (timestamp)',
    reason: 'its rows are kept for 30 days: whole days leave at once, instead of row by row',
  },
  {
    of: 'market_data primary key',
    document: 'id',
    database: 'id, timestamp',
    reason: 'a unique key of a partitioned table must hold the partition key',
  },
  {
    of: 'market_data unique (coin_id, timestamp)',
    database: 'yes',
    reason: 'loading the same answer twice is loading it once',
  },
  {
    of: 'index idx_ohlcv_timeframe_time',
    document: 'ohlcv_data btree (coin_id, timeframe, timestamp)',
    database: 'ohlcv_data btree (coin_id, timeframe, timestamp), that of the primary key',
    reason: 'a second index on the columns of the key would only cost: the one of the key bears the name',
  },
  {
    of: 'index idx_users_email',
    document: 'users btree (email)',
    database: 'users btree (email), that of the unique constraint',
    reason: 'UNIQUE needs an index anyway: it bears the name',
  },
  ...['ohlcv_data_1m', 'ohlcv_data_5m', 'ohlcv_data_1h'].map((branch) => ({
    of: `${branch} partitioned by`,
    database: 'RANGE (timestamp)',
    reason: 'the document speaks of date ranges below each timeframe, and shows those of 1d',
  })),
  {
    of: 'users to backtest_results',
    database: '1:N',
    reason: 'the table has the foreign key; the drawing leaves it out',
  },
  {
    of: 'daily_price_summary shows candles',
    database: 'yes',
    reason: 'says of how many of its 24 hours a day was made',
  },
  {
    of: 'daily_price_summary shows origin',
    database: 'yes',
    reason:
      'says whether a day was made of hourly candles, of the daily one, or of hours that have left the table',
  },
]

type Change = Readonly<{ what: string; from: string | RegExp; to: string; tells: readonly string[] }>

/** One thing written otherwise in the document, and the facts that then differ from the database. */
const changes: readonly Change[] = [
  { what: 'a type', from: '| tier        | VARCHAR(50)', to: '| tier | VARCHAR(60)', tells: ['users.tier'] },
  {
    what: 'a scale',
    from: /(\| fee +\|) DECIMAL\(24,8\)/,
    to: '$1 DECIMAL(24,6)',
    tells: ['trades.fee'],
  },
  { what: 'a nullability', from: /(\| note .*TEXT *\|) *\|/, to: '$1 NOT NULL |', tells: ['alerts.note'] },
  {
    what: 'a name',
    from: '| passphrase ',
    to: '| pass_phrase ',
    tells: ['api_connections.pass_phrase', 'api_connections.passphrase'],
  },
  { what: 'a missing column', from: /^\| rank .*\n/m, to: '', tells: ['market_data.rank'] },
  {
    what: 'an added column',
    from: '| whitepaper ',
    to: '| slug | TEXT | | |\n| whitepaper ',
    tells: ['coins.slug'],
  },
  {
    what: 'a primary key',
    from: /(`profiles`[^`]*\| id +\| UUID +\|) PK,/,
    to: '$1',
    tells: ['profiles primary key'],
  },
  { what: 'a unique column', from: 'UNIQUE, NOT NULL', to: 'NOT NULL', tells: ['users unique (email)'] },
  {
    what: 'a reference',
    from: '| UUID         |                  | Reference to trading_strategies.id|',
    to: '| UUID | | Reference to trading_accounts.id|',
    tells: ['trades.strategy_id references'],
  },
  {
    what: 'a relationship',
    from: '1:1 profiles',
    to: '1:N profiles',
    tells: ['profiles.id references', 'users to profiles'],
  },
  {
    what: 'a missing relationship',
    from: '  ├── 1:N positions\n',
    to: '',
    tells: ['trading_accounts to positions'],
  },
  {
    what: 'the columns of an index',
    from: '| account_id, executed_at ',
    to: '| executed_at, account_id ',
    tells: ['index idx_trades_account_time'],
  },
  {
    what: 'the kind of an index',
    from: /(\| user_id, status *\|) BTREE/,
    to: '$1 HASH',
    tells: ['index idx_alerts_user_status'],
  },
  { what: 'a list', from: `IN ('5m')`, to: `IN ('6m')`, tells: ['ohlcv_data_5m partition of'] },
  {
    what: 'a range',
    from: `FROM ('2021-01-01')`,
    to: `FROM ('2021-02-01')`,
    tells: ['ohlcv_data_1d_y2021 partition of'],
  },
  {
    what: 'a partition key',
    from: 'RANGE (timestamp)',
    to: 'RANGE (coin_id)',
    tells: ['ohlcv_data_1d partitioned by'],
  },
  {
    what: 'a column of a statement',
    from: 'new_data JSONB',
    to: 'new_data JSONB NOT NULL',
    tells: ['audit_logs.new_data'],
  },
  { what: 'a default', from: ' DEFAULT NOW()', to: '', tells: ['audit_logs.timestamp default'] },
  {
    what: 'a column of the view',
    from: 'AS day,',
    to: 'AS date,',
    tells: ['daily_price_summary shows date', 'daily_price_summary shows day'],
  },
  {
    what: 'a policy',
    from: 'POLICY positions_user_isolation',
    to: 'POLICY positions_isolation',
    tells: ['policy positions_isolation', 'policy positions_user_isolation'],
  },
]

const departing = (facts: Facts): Facts => ({
  ...facts,
  ...Object.fromEntries(departures.map(({ of, database }) => [of, database])),
})

/** What the two say differently, by name. */
const differences = (one: Facts, other: Facts): string[] =>
  [...new Set([...Object.keys(one), ...Object.keys(other)])].filter((of) => one[of] !== other[of]).toSorted()

/** The facts of the database, in the document's own terms, about the tables, indexes and policies that the document names. */
async function readDatabase(client: ClientBase): Promise<Facts> {
  const { rows } = await client.query<{ of: string; what: string }>(
    `
    with relation as (
      select * from pg_class where relnamespace = 'public'::regnamespace and relname = any ($1)
    ), key as (
      select pg_constraint.*, relname,
        array(select attname::text from unnest(conkey) with ordinality as part (number, place)
          join pg_attribute on attrelid = conrelid and attnum = number order by place) as columns
      from pg_constraint join relation on relation.oid = conrelid
    )
    select relname || '.' || attname as of,
      format_type(atttypid, atttypmod) || case when attnotnull then ' not null' else '' end as what
    from pg_attribute join relation on relation.oid = attrelid where attnum > 0 and not attisdropped
    union all
    -- The document gives defaults only where it gives a statement.
    select relname || '.' || attname || ' default', pg_get_expr(adbin, adrelid)
    from pg_attrdef join relation on relation.oid = adrelid join pg_attribute on attrelid = adrelid and attnum = adnum
    where relname in ('audit_logs', 'ohlcv_data')
    union all
    select relname || ' primary key', array_to_string(columns, ', ') from key where contype = 'p'
    union all
    select relname || ' unique (' || array_to_string(columns, ', ') || ')', 'yes' from key where contype = 'u'
    union all
    select relname || '.' || array_to_string(columns, ', ') || ' references', confrelid::regclass || '.' || attname
    from key join pg_attribute on attrelid = confrelid and attnum = any (confkey)
    where contype = 'f'
    union all
    select confrelid::regclass || ' to ' || relname, case when exists (
      select from pg_index where indrelid = conrelid and indisunique and indkey::smallint[] <@ conkey
    ) then '1:1' else '1:N' end
    from key where contype = 'f'
    union all
    select 'index ' || index.relname, concat(
      relation.relname, ' ', amname, ' (', array_to_string(array(
        select replace(pg_get_indexdef(indexrelid, place, true), '"', '') from generate_series(1, indnkeyatts) as place
      ), ', '), ')',
      ', that of the ' || case contype when 'p' then 'primary key' when 'u' then 'unique constraint' end)
    from pg_index
    join relation on relation.oid = indrelid
    join pg_class as index on index.oid = indexrelid
    join pg_am on pg_am.oid = index.relam
    left join pg_constraint on conindid = indexrelid and contype in ('p', 'u')
    where index.relname = any ($2)
    union all
    select partrelid::regclass || ' partitioned by', replace(pg_get_partkeydef(partrelid), '"', '')
    from pg_partitioned_table
    union all
    select pg_class.oid::regclass || ' partition of',
      inhparent::regclass || ' ' || replace(pg_get_expr(relpartbound, pg_class.oid), ' 00:00:00', '')
    from pg_class join pg_inherits on inhrelid = pg_class.oid where relispartition and relkind in ('r', 'p')
    union all
    select 'policy ' || polname, polrelid::regclass::text from pg_policy where polname = any ($3)
    union all
    select attrelid::regclass || ' shows ' || attname, 'yes'
    from pg_attribute join pg_class on pg_class.oid = attrelid
    where relnamespace = 'public'::regnamespace and relkind = 'm' and attnum > 0`,
    [tablesOf(document), namedAs('index'), namedAs('policy')],
  )
  return Object.fromEntries(rows.map(({ of, what }) => [of, what]))
}

const namedAs = (kind: string): string[] =>
  Object.keys(document).flatMap((of) => (of.startsWith(`${kind} `) ? [of.slice(kind.length + 1)] : []))

const migrated = servers.map(({ server, clusterUrl }) => ({ server, test: testOn(clusterUrl) }))

describe.each(migrated)('the schema document on $server', ({ test: onServer }) => {
  /** With the leaves that the document shows, made as the daemon makes them. */
  const test = onServer.extend('facts', async ({ pool, client }) => {
    const daily = candleTable('1d', 'year')
    const years = { from: at('2020-01-01T00:00Z'), to: at('2025-01-01T00:00Z') }
    await ensurePartitions(pool, daily, partitionsOf(daily, years), 2_000)
    return readDatabase(client)
  })

  test('is the database, line by line, but for what departs from it on purpose', ({ facts }) => {
    expect(facts).toEqual(departing(document))
  })

  test.for(changes)('with $what changed is told apart', ({ from, to, tells }, { facts }) => {
    const changed = text.replace(from, to)
    expect(changed).not.toBe(text)
    expect(differences(departing(readDocument(changed)), facts)).toEqual(tells)
  })
})

describe('the reader of the document', () => {
  plainTest.for<[what: string, from: string, to: string, named: string]>([
    ['that says two things of one', '| PK, FK, NOT NULL |', '| FK, NOT NULL |', 'ohlcv_data primary key'],
    ['with an unknown type', 'INTEGER ', 'NUMBER ', 'NUMBER'],
    ['with an unknown attribute', '| UNIQUE, NOT NULL |', '| SPECIAL |', 'SPECIAL'],
    ['with a foreign key to nothing', 'Reference to coins.id', 'The coin', 'market_data.coin_id'],
    ['with a table of another form', '#### `alerts`\n', '#### `alerts`', 'a table'],
    ['with another column in its tables', '| Attributes ', '| Kind ', 'Attributes'],
    ['with a relationship of another form', '1:N alerts', 'N:M alerts', 'a relationship'],
    ['with a statement of another form', 'CREATE TABLE audit_logs', 'CREATE SEQUENCE audit_logs', 'SEQUENCE'],
  ])('refuses one %s', ([, from, to, named]) => {
    const changed = text.replace(from, to)
    expect(changed).not.toBe(text)
    expect(() => readDocument(changed)).toThrow(named)
  })

  plainTest('is told of departures that are none', () => {
    const stale = departures.filter(
      ({ of, document: said, database }) => document[of] !== said || said === database,
    )
    expect(stale).toEqual([])
  })
})
