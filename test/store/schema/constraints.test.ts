import type { PoolClient } from 'pg'
import { describe, expect } from 'vitest'
import { timeframeMs } from '../../../src/market/timeframe.ts'
import { ensurePartitions } from '../../../src/store/partitions/create-partitions.ts'
import { candleTable, type PartitionedTable, partitionAt } from '../../../src/store/partitions.ts'
import { servers } from '../../support/database.ts'
import { at } from '../loading.ts'
import {
  aRow,
  day,
  insertRow,
  insertValid,
  type Row,
  refusal,
  type Value,
  validRows,
} from '../migrations/valid-rows.ts'
import { testOn } from '../on-server.ts'

const notNull = '23502'
const foreignKey = '23503'
const unique = '23505'
const check = '23514'
const tooLong = '22001'

/** Every set of values that is closed, and what the values stand for. */
const closedSets: readonly Readonly<{ table: string; column: string; known: readonly string[] }>[] = [
  // May log in and trade, or may not for now. Whoever leaves is deleted, not marked.
  { table: 'users', column: 'status', known: ['active', 'suspended'] },
  // What was done with the coin.
  { table: 'trades', column: 'type', known: ['buy', 'sell'] },
  // Watched, has happened, not watched for now, its time has passed, no longer wanted.
  { table: 'alerts', column: 'status', known: ['active', 'triggered', 'paused', 'expired', 'cancelled'] },
  // What can happen to a row, and to all of them at once.
  { table: 'audit_logs', column: 'operation', known: ['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'] },
  // In the table, not there to be had, had and not believed; the others say what is to be looked at once more.
  {
    table: 'candle_coverage',
    column: 'state',
    known: ['stored', 'no-trades', 'refused', 'provisional', 'recheck-after-day', 'recheck-after-month'],
  },
  // Being written, whole, read back, alone with its rows, its rows back in the table, about to be removed.
  {
    table: 'archives',
    column: 'state',
    known: ['writing', 'written', 'verified', 'dropped', 'restored', 'discarded'],
  },
  // What keeps a partition.
  {
    table: 'partition_holds',
    column: 'kind',
    known: ['object', 'owner', 'shape', 'lock', 'content', 'storage', 'failure'],
  },
  // What became of a row that was not believed; `discarded` by hand.
  {
    table: 'quarantined_rows',
    column: 'resolution',
    known: ['loaded', 'withdrawn', 'discarded', 'accepted', 'superseded'],
  },
  // What a webhook is told of an incident.
  { table: 'webhook_deliveries', column: 'event', known: ['opened', 'resolved'] },
  // Abandoned: its process died.
  { table: 'ingest_runs', column: 'status', known: ['running', 'done', 'partial', 'failed', 'abandoned'] },
  // Some of its markets failed, or all of it.
  { table: 'failing_jobs', column: 'status', known: ['partial', 'failed'] },
]

/** Timestamps that PostgreSQL stores and that no user's time may be. */
const tooEarly = ['-infinity', '0044-03-15 00:00:00 BC', '1999-12-31 23:59:59.999999']
const tooLate = ['infinity', '2200-01-01 00:00:00', '294276-12-31 23:59:59']
const timesOf = (table: string, columns: readonly string[], values = [...tooEarly, ...tooLate]) => ({
  [`${table}_times`]: {
    table,
    changes: columns.flatMap((column) => values.map((value) => ({ [column]: value }))),
  },
})

/** For every other CHECK the changes to a valid row that it must refuse. */
const refused: Readonly<Record<string, Readonly<{ table: string; changes: readonly Row[] }>>> = {
  failing_jobs_check: { table: 'failing_jobs', changes: [{ last_failed_at: '2024-03-01 11:59:59' }] },
  failing_jobs_failures_check: { table: 'failing_jobs', changes: [{ failures: 0 }] },
  incidents_check: { table: 'incidents', changes: [{ resolved_at: '2024-03-01 11:59:59' }] },
  archives_range_check: {
    table: 'archives',
    changes: [{ range_from: '2024-03-02', range_to: '2024-03-01' }],
  },
  archives_written_check: {
    table: 'archives',
    changes: [{ row_count: null }, { bytes: null }, { sha256: null }, { checksums: null }],
  },
  archives_verified_check: { table: 'archives', changes: [{ verified_at: null }] },
  trading_accounts_numbers: { table: 'trading_accounts', changes: nan('balance', 'initial_balance') },
  positions_numbers: {
    table: 'positions',
    changes: [
      ...nan('amount', 'entry_price', 'current_price', 'stop_loss', 'take_profit'),
      ...negative('entry_price', 'current_price', 'stop_loss', 'take_profit'),
    ],
  },
  trades_numbers: {
    table: 'trades',
    changes: [...nan('price', 'amount', 'fee', 'total', 'profit_loss'), ...negative('price', 'amount')],
  },
  backtest_results_numbers: {
    table: 'backtest_results',
    changes: [
      ...nan('initial_capital', 'final_capital', 'returns', 'win_rate', 'max_drawdown'),
      ...nan('sharpe_ratio', 'profit_factor'),
      { trades_count: -1 },
    ],
  },
  ...timesOf('users', ['created_at', 'updated_at', 'last_login']),
  ...timesOf('profiles', ['created_at', 'updated_at']),
  ...timesOf('trading_accounts', ['created_at', 'updated_at']),
  ...timesOf('trading_strategies', ['created_at', 'updated_at']),
  ...timesOf('positions', ['opened_at', 'updated_at']),
  ...timesOf('trades', ['executed_at']),
  backtest_results_times: {
    table: 'backtest_results',
    changes: [
      ...tooEarly.map((start_date) => ({ start_date })),
      ...tooLate.map((end_date) => ({ end_date })),
      ...[...tooEarly, ...tooLate].map((created_at) => ({ created_at })),
    ],
  },
  ...timesOf('alerts', ['created_at', 'expires_at', 'triggered_at']),
  ...timesOf('notifications', ['created_at', 'read_at']),
  ...timesOf('api_connections', ['created_at', 'updated_at']),
  backtest_results_dates: {
    table: 'backtest_results',
    changes: [{ start_date: '2024-01-02', end_date: '2024-01-01' }],
  },
  market_data_price_check: {
    table: 'market_data',
    changes: [...nan('price'), ...negative('price'), { price: '0' }],
  },
  market_data_numbers: {
    table: 'market_data',
    changes: nan('market_cap', 'volume_24h', 'change_24h', 'circulating_supply', 'max_supply'),
  },
  // As in the valid candle below; the mean is 10.5.
  market_data_daily_sane: {
    table: 'market_data_daily',
    changes: [
      ...nan('open', 'high', 'low', 'close', 'average_price'),
      ...nan('market_cap', 'volume_24h', 'circulating_supply', 'max_supply'),
      ...negative('low'),
      { open: '8.99999999' },
      { open: '12.00000001' },
      { close: '8.99999999' },
      { close: '12.00000001' },
      { average_price: '8.99999999' },
      { average_price: '12.00000001' },
      { samples: 0 },
      { first_at: '2024-02-29 23:59:59.999999' },
      { first_at: '2024-03-01 12:00:00.000001', last_at: '2024-03-01 12:00:00' },
      { last_at: '2024-03-02 00:00:00' },
    ],
  },
  candle_digests_known_check: { table: 'candle_digests', changes: [{ rows: null }, { sum_low: null }] },
  archive_digests_known_check: { table: 'archive_digests', changes: [{ rows: null }, { sum_low: null }] },
  partition_holds_range_check: { table: 'partition_holds', changes: [{ holds_to: day }] },
  partition_holds_checked_check: { table: 'partition_holds', changes: [{ checked_at: day }] },
  retention_policies_keep_check: { table: 'retention_policies', changes: [{ keep_ms: 0 }, { keep_ms: -1 }] },
  summary_days_candles_check: { table: 'summary_days', changes: [{ candles: -1 }, { candles: 25 }] },
  summary_days_sane: {
    table: 'summary_days',
    changes: [
      ...nan('open', 'high', 'low', 'close', 'volume'),
      ...negative('low', 'volume'),
      { open: '8.99999999' },
      { open: '12.00000001' },
      { close: '8.99999999' },
      { close: '12.00000001' },
      { low: '10.00000001' },
      { high: '10.99999999' },
    ],
  },
  // The valid candle goes from 10 to 11, between 9 and 12.
  ohlcv_data_sane: {
    table: 'ohlcv_data',
    changes: [
      ...nan('open', 'high', 'low', 'close', 'volume'),
      ...negative('low', 'volume'),
      { open: '8.99999999' },
      { open: '12.00000001' },
      { close: '8.99999999' },
      { close: '12.00000001' },
      { low: '10.00000001' },
      { high: '10.99999999' },
      { low: '13', high: '12' },
    ],
  },
  instruments_preference_check: { table: 'instruments', changes: [{ preference: -1 }] },
  instruments_listed_check: {
    table: 'instruments',
    changes: [
      { listed_from: '2024-03-01', listed_to: '2024-03-01' },
      { listed_from: '2024-03-02', listed_to: '2024-03-01' },
    ],
  },
  // The valid row is discarded.
  quarantined_rows_resolved_check: {
    table: 'quarantined_rows',
    changes: [
      { resolution: null },
      { resolved_at: null },
      { resolved_by: null },
      { resolved_reason: null },
      { resolution: null, resolved_at: null, resolved_by: null },
    ],
  },
  quarantined_rows_seen_check: {
    table: 'quarantined_rows',
    changes: [{ times_seen: 0 }, { times_seen: -1 }, { last_seen_at: '2024-03-01 11:59:59' }],
  },
  instruments_relisted_check: { table: 'instruments', changes: [{ listed_to: null }] },
}

function nan(...columns: string[]): Row[] {
  return columns.map((column) => ({ [column]: 'NaN' }))
}

function negative(...columns: string[]): Row[] {
  return columns.map((column) => ({ [column]: '-0.00000001' }))
}

/** One microsecond late, and on the grid of the timeframe that is next below. */
const unaligned: Readonly<Record<'1m' | '5m' | '1h' | '1d', readonly string[]>> = {
  '1m': ['00:00:00.000001', '00:00:01', '00:00:59'],
  '5m': ['00:00:00.000001', '00:01:00', '00:04:00'],
  '1h': ['00:00:00.000001', '00:05:00', '00:30:00', '23:59:00'],
  '1d': ['00:00:00.000001', '01:00:00', '12:00:00', '23:00:00'],
}
const alignedTimeframes = ['1m', '5m', '1h', '1d'] as const

const midnight = at(`${day}T00:00:00Z`)
const candleTables = alignedTimeframes.map((timeframe) => candleTable(timeframe, 'day'))
const priceTable: PartitionedTable = { name: 'market_data', length: 'day' }
const partitionOf = (table: PartitionedTable) => partitionAt(table, midnight).name
const candlePartitions = candleTables.map(partitionOf)

/** Where the rows of a table lie: a partitioned table would look for a partition before it looks at the row. */
const homeOf = (table: string): string =>
  table === 'market_data'
    ? partitionOf(priceTable)
    : table === 'ohlcv_data'
      ? partitionOf(candleTable('1d', 'day'))
      : table

const tableNames = Object.keys(validRows)

type ForeignKey = Readonly<{
  name: string
  table: string
  column: string
  parent: string
  parentColumn: string
  action: string
  comment: string | null
}>

/** Foreign keys of the tables that have names of their own; each is of one column. */
async function foreignKeys(client: PoolClient): Promise<ForeignKey[]> {
  const { rows } = await client.query<ForeignKey>(`
    select con.conname as name, child.relname as table, mine.attname as column, parent.relname as parent,
      theirs.attname as "parentColumn", obj_description(con.oid, 'pg_constraint') as comment,
      case con.confdeltype
        when 'a' then 'NO ACTION' when 'r' then 'RESTRICT' when 'c' then 'CASCADE' when 'n' then 'SET NULL'
        when 'd' then 'SET DEFAULT'
      end as action
    from pg_constraint as con
    join pg_class as child on child.oid = con.conrelid
    join pg_class as parent on parent.oid = con.confrelid
    join pg_attribute as mine on mine.attrelid = con.conrelid and mine.attnum = con.conkey[1]
    join pg_attribute as theirs on theirs.attrelid = con.confrelid and theirs.attnum = con.confkey[1]
    where con.contype = 'f' and con.conparentid = 0 and child.relnamespace = 'public'::regnamespace
      and cardinality(con.conkey) = 1
    order by con.conname`)
  return rows
}

/** The columns of the table that the condition holds for; `length` is meant for a varchar. */
async function columnsWhere(
  client: PoolClient,
  table: string,
  condition: string,
): Promise<{ name: string; length: number }[]> {
  const { rows } = await client.query<{ name: string; length: number }>(
    `select attname as name, atttypmod - 4 as length from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped and (${condition}) order by attnum`,
    [table],
  )
  return rows
}

/** The tables with a name of their own, and no partition of one. */
async function tablesOf(client: PoolClient): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select relname as name from pg_class
     where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
       and relname not in ('schema_migrations', 'undone_migrations')`,
  )
  return rows.map(({ name }) => name)
}

/** The table after the tables that its rows refer to. */
function withParents(table: string, keys: readonly ForeignKey[]): string[] {
  const parents = keys.filter((key) => key.table === table).flatMap(({ parent }) => withParents(parent, keys))
  return [...new Set([...parents, table])]
}

const insertParents = (client: PoolClient, table: string, keys: readonly ForeignKey[]) =>
  insertValid(client, withParents(table, keys).slice(0, -1))

/** What the database says to the valid row with each of the changes; the rows that it refers to must be there. */
async function refusals(
  client: PoolClient,
  table: string,
  changes: readonly Row[],
  home = table,
): Promise<(string | undefined)[]> {
  const found: (string | undefined)[] = []
  for (const change of changes) {
    found.push(await refusal(client, () => insertRow(client, home, aRow(table, change))))
  }
  return found
}

const times = <T>(length: number, value: T): T[] => Array.from({ length }, () => value)

const onDelete: Readonly<Record<string, string>> = {
  profiles_id_fkey: 'CASCADE',
  trading_accounts_user_id_fkey: 'RESTRICT',
  trading_strategies_user_id_fkey: 'CASCADE',
  positions_account_id_fkey: 'CASCADE',
  trades_account_id_fkey: 'RESTRICT',
  trades_strategy_id_fkey: 'SET NULL',
  backtest_results_strategy_id_fkey: 'CASCADE',
  backtest_results_user_id_fkey: 'CASCADE',
  alerts_user_id_fkey: 'CASCADE',
  notifications_user_id_fkey: 'CASCADE',
  api_connections_user_id_fkey: 'CASCADE',
  market_data_coin_id_fkey: 'NO ACTION',
  market_data_daily_coin_id_fkey: 'NO ACTION',
  ohlcv_data_coin_id_fkey: 'NO ACTION',
  summary_days_coin_id_fkey: 'NO ACTION',
  candle_digests_coin_id_fkey: 'CASCADE',
  archive_digests_archive_id_fkey: 'CASCADE',
  instruments_coin_id_fkey: 'CASCADE',
  candle_coverage_coin_id_fkey: 'CASCADE',
  candle_revisions_coin_id_fkey: 'CASCADE',
  quarantined_rows_coin_id_fkey: 'CASCADE',
  instrument_renames_coin_id_fkey: 'CASCADE',
  webhook_deliveries_incident_id_fkey: 'CASCADE',
}

/** What is seen of the row that refers to another when the other is deleted. */
const outcomes: Readonly<Record<string, string>> = {
  CASCADE: 'gone',
  'SET NULL': 'refers to none',
  RESTRICT: 'refused',
  'NO ACTION': 'refused',
}

const another: Value = '00000000-0000-4000-8000-0000000000ff'

/** A row beside the valid one, so that the key under test is the only way to it. */
function anotherParent({ parent, parentColumn }: ForeignKey): Row {
  const changes = { [parentColumn]: parent === 'coins' ? 'ethereum' : another }
  const unique: Readonly<Record<string, Row>> = {
    users: { email: 'another address' },
    archives: { file_name: 'another file' },
  }
  return aRow(parent, { ...changes, ...unique[parent] })
}

async function deleteParent(client: PoolClient, key: ForeignKey, value: Value): Promise<string> {
  const { table, column, parent, parentColumn } = key
  const deletion = `delete from ${parent} where ${parentColumn} = $1`
  const refusedWith = await refusal(client, () => client.query(deletion, [value]))
  if (refusedWith !== undefined) {
    // Since version 18 RESTRICT has a code of its own.
    expect(refusedWith).toMatch(new RegExp(`^(23001|${foreignKey}) ${key.name}$`))
    return 'refused'
  }
  await client.query(deletion, [value])
  const { rows } = await client.query<{ value: string | null }>(`select ${column} as value from ${table}`)
  if (rows.length === 0) return 'gone'
  return rows[0]?.value === null ? 'refers to none' : 'unchanged'
}

/** `test` on each server, with a leaf for the day in each partitioned table. */
const onServers = servers.map(({ server, clusterUrl }) => ({
  server,
  test: testOn(clusterUrl)
    .extend('partitions', { scope: 'file' }, async ({ pool }) => {
      for (const table of [...candleTables, priceTable]) {
        await ensurePartitions(pool, table, [partitionAt(table, midnight)], 5_000)
      }
      return true
    })
    .extend('keys', ({ client }) => foreignKeys(client)),
}))

describe.each(onServers)('on $server', ({ test }) => {
  test('there is a valid row for every table, with every column', async ({ client, partitions: _ }) => {
    expect((await tablesOf(client)).toSorted()).toEqual(tableNames.toSorted())
    for (const table of tableNames) {
      const columns = (await columnsWhere(client, table, 'true')).map(({ name }) => name)
      expect({ table, columns: Object.keys(aRow(table)).toSorted() }).toEqual({
        table,
        columns: columns.toSorted(),
      })
    }
    await insertValid(client, tableNames)
    for (const table of tableNames) {
      expect((await client.query(`select from ${table}`)).rowCount, table).toBeGreaterThan(0)
    }
  })

  describe('NULL', () => {
    test.for(tableNames)(
      'is refused in every column of %s that needs a value',
      async (table, { client, keys, partitions: _ }) => {
        await insertParents(client, table, keys)
        const columns = (await columnsWhere(client, table, 'attnotnull')).map(({ name }) => name)
        const changes = columns.map((name) => ({ [name]: null }))
        expect(columns).not.toEqual([])
        expect(await refusals(client, table, changes, homeOf(table))).toEqual(
          columns.map((name) => `${notNull} ${name}`),
        )
      },
    )
  })

  describe('text that is too long', () => {
    test.for(tableNames.filter((name) => !['backtest_results', 'database_samples'].includes(name)))(
      'is refused in every column of %s that has a limit',
      async (table, { client, keys, partitions: _ }) => {
        await insertParents(client, table, keys)
        const limited = await columnsWhere(client, table, `atttypid = 'varchar'::regtype and atttypmod > 0`)
        expect(limited).not.toEqual([])
        const changes = limited.map(({ name, length }) => ({ [name]: 'x'.repeat(length + 1) }))
        expect(await refusals(client, table, changes)).toEqual(times(limited.length, tooLong))
      },
    )
  })

  describe('NaN', () => {
    const numbered = ['trading_accounts', 'positions', 'trades', 'backtest_results', 'ohlcv_data']

    test.for(numbered)('is refused in every number of %s', async (table, { client, keys, partitions: _ }) => {
      await insertParents(client, table, keys)
      const numbers = await columnsWhere(client, table, `atttypid = 'numeric'::regtype`)
      expect(numbers).not.toEqual([])
      expect(await refusals(client, table, nan(...numbers.map(({ name }) => name)))).toEqual(
        times(numbers.length, expect.stringMatching(`^${check} `)),
      )
    })
  })

  describe('a closed set', () => {
    test.for(closedSets)(
      'is all that $column of $table takes',
      async ({ table, column, known }, { client, keys, partitions: _ }) => {
        await insertParents(client, table, keys)
        const accepted = await refusals(
          client,
          table,
          known.map((value) => ({ [column]: value })),
        )
        expect(accepted).toEqual(times(known.length, undefined))
        const unknown = ['', 'other', ...known.map((value) => ` ${value}`), ...known.map(inOtherCase)]
        const changes = unknown.map((value) => ({ [column]: value }))
        expect(await refusals(client, table, changes)).toEqual(
          times(
            unknown.length,
            expect.stringMatching(new RegExp(`^${check} ${table}_${column}_(known|check)$`)),
          ),
        )
      },
    )
  })

  describe('the constraint', () => {
    test.for(Object.entries(refused))(
      '%s refuses what it is there for',
      async ([name, { table, changes }], { client, keys, partitions: _ }) => {
        await insertParents(client, table, keys)
        expect(await refusals(client, table, [{}])).toEqual([undefined])
        expect(await refusals(client, table, changes)).toEqual(times(changes.length, `${check} ${name}`))
      },
    )
  })

  test('no CHECK is without a sentence here', async ({ client, partitions: _ }) => {
    const { rows } = await client.query<{ name: string }>(`
      select conname as name
      from pg_constraint join pg_class on pg_class.oid = conrelid
      where contype = 'c' and connamespace = 'public'::regnamespace and conislocal order by conname`)
    const sets = rows.filter(({ name }) =>
      closedSets.some(({ table, column }) => name.startsWith(`${table}_${column}_`)),
    )
    expect(sets).toHaveLength(closedSets.length)
    expect(rows.filter((row) => !sets.includes(row)).map(({ name }) => name)).toEqual(
      [
        ...Object.keys(refused),
        ...alignedTimeframes.map((timeframe) => `ohlcv_data_${timeframe}_aligned`),
      ].toSorted(),
    )
  })

  describe('a candle', () => {
    test.for(alignedTimeframes)('of %s opens on its grid', async (timeframe, { client, partitions: _ }) => {
      await insertValid(client, ['coins'])
      const partition = partitionOf(candleTable(timeframe, 'day'))
      const late = unaligned[timeframe].map((time) => ({ timeframe, timestamp: `${day} ${time}` }))
      const wrong = times(late.length, `${check} ohlcv_data_${timeframe}_aligned`)
      expect(await refusals(client, 'ohlcv_data', late)).toEqual(wrong)
      expect(await refusals(client, 'ohlcv_data', late, partition)).toEqual(wrong)
      const last = timeframeMs['1d'] / timeframeMs[timeframe] - 1
      await client.query(
        `insert into ohlcv_data
         select 'bitcoin', $1::timestamp + step * $2 * interval '1 millisecond', $3, 1, 1, 1, 1, 1 from generate_series(0, $4::integer) as step`,
        [day, timeframeMs[timeframe], timeframe, last],
      )
      expect((await client.query(`select from ${partition}`)).rowCount).toBe(last + 1)
    })

    test.for(candlePartitions)(
      'that is not sane is refused by %s itself',
      async (partition, { client, partitions: _ }) => {
        await insertValid(client, ['coins'])
        const timeframe = alignedTimeframes.find((name) => partition.startsWith(`ohlcv_data_${name}_`)) ?? ''
        const changes = (refused.ohlcv_data_sane?.changes ?? []).map((change) => ({ ...change, timeframe }))
        expect(await refusals(client, 'ohlcv_data', [{ timeframe }], partition)).toEqual([undefined])
        expect(await refusals(client, 'ohlcv_data', changes, partition)).toEqual(
          times(changes.length, `${check} ohlcv_data_sane`),
        )
      },
    )
  })

  describe('the same row twice', () => {
    const withKey = tableNames.filter((name) => name !== 'candle_revisions')

    test.for(withKey)('is refused in %s', async (table, { client, keys, partitions: _ }) => {
      await insertValid(client, withParents(table, keys))
      expect(await refusals(client, table, [{}])).toEqual([expect.stringMatching(`^${unique} `)])
    })

    test('is refused under another id where the id is not all of it', async ({ client, partitions: _ }) => {
      await insertValid(client, ['users', 'coins', 'market_data', 'quarantined_rows'])
      const rest: (string | undefined)[] = []
      for (const table of ['users', 'market_data', 'quarantined_rows'])
        rest.push(...(await refusals(client, table, [{ id: another }])))
      expect(rest).toEqual([
        `${unique} idx_users_email`,
        expect.stringMatching(`^${unique} market_data_.*coin_id_timestamp_key$`),
        `${unique} quarantined_rows_row_key`,
      ])
    })

    test('is two revisions of a candle', async ({ client, partitions: _ }) => {
      await insertValid(client, ['coins', 'candle_revisions'])
      await insertRow(client, 'candle_revisions', aRow('candle_revisions', { id: 8 }))
      expect((await client.query('select from candle_revisions')).rowCount).toBe(2)
    })
  })

  describe('a foreign key', () => {
    test('has its reason beside what it does', async ({ keys }) => {
      expect(Object.fromEntries(keys.map(({ name, action }) => [name, action]))).toEqual(onDelete)
      for (const { name, action, comment } of keys) {
        expect(comment, name).toMatch(new RegExp(`^ON DELETE ${action}: .+\\.$`))
      }
    })

    test.for(Object.keys(onDelete))(
      '%s refuses what is not there',
      async (name, { client, keys, partitions: _ }) => {
        const key = keyNamed(name, keys)
        await insertParents(client, key.table, keys)
        const orphan = { [key.column]: key.parent === 'coins' ? 'ethereum' : another }
        const [found] = await refusals(client, key.table, [orphan])
        expect(found).toMatch(new RegExp(`^${foreignKey} ${name}$`))
      },
    )

    test.for(Object.entries(onDelete))(
      '%s does %s',
      async ([name, action], { client, keys, partitions: _ }) => {
        const key = keyNamed(name, keys)
        const parent = anotherParent(key)
        const value = parent[key.parentColumn] ?? null
        await insertParents(client, key.table, keys)
        await insertRow(client, key.parent, parent)
        await insertRow(client, key.table, aRow(key.table, { [key.column]: value }))
        expect(await deleteParent(client, key, value)).toBe(outcomes[action])
      },
    )
  })
})

function keyNamed(name: string, keys: readonly ForeignKey[]): ForeignKey {
  const key = keys.find((candidate) => candidate.name === name)
  if (!key) throw new Error(`there is no foreign key ${name}`)
  return key
}

const inOtherCase = (text: string): string =>
  text === text.toUpperCase() ? text.toLowerCase() : text.toUpperCase()
