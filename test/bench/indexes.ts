/**
 * What each secondary index costs a write and gives the query it is there for: with it, and with it dropped in a
 * transaction that is rolled back. On the rows of the plan tests, a million trades and a million candles, and some more.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, Pool } from 'pg'
import { bytesText } from '../../src/cli/terminal/output.ts'
import { table } from '../../src/cli/terminal/table.ts'
import { openEmbeddedPostgres } from '../../src/runtime/embedded.ts'
import { openLog } from '../../src/runtime/log.ts'
import { migrateUp } from '../../src/store/migrations.ts'
import { accountId, populate, strategyId, userId } from '../queries/population.ts'
import { type Findings, median, rounds } from './measure.ts'

type Probe = Readonly<{
  index: string
  table: string
  /** The query that the index is there for. */
  find: string
  /** An index that the schema does not have, to see what it would cost. */
  wouldBe?: string
}>

const user = `'${userId(7)}'`

const probes: readonly Probe[] = [
  {
    index: 'idx_trades_account_time',
    table: 'trades',
    find: `select * from trades where account_id = '${accountId(7)}' order by executed_at desc limit 50`,
  },
  {
    index: 'idx_trades_strategy',
    table: 'trades',
    find: `select * from trades where strategy_id = '${strategyId(7)}'`,
  },
  {
    index: 'idx_positions_account',
    table: 'positions',
    find: `select * from positions where account_id = '${accountId(7)}'`,
  },
  {
    index: 'idx_alerts_user_status',
    table: 'alerts',
    find: `select * from alerts where user_id = ${user} and status = 'active'`,
  },
  {
    index: 'idx_notifications_user_time',
    table: 'notifications',
    find: `select * from notifications where user_id = ${user} order by created_at desc limit 5`,
  },
  {
    index: 'idx_trading_accounts_user',
    table: 'trading_accounts',
    find: `select * from trading_accounts where user_id = ${user}`,
  },
  {
    index: 'idx_trading_strategies_user',
    table: 'trading_strategies',
    find: `select * from trading_strategies where user_id = ${user}`,
  },
  {
    index: 'idx_backtest_results_strategy',
    table: 'backtest_results',
    find: `select * from backtest_results where strategy_id = '${strategyId(7)}'`,
  },
  {
    index: 'idx_backtest_results_user',
    table: 'backtest_results',
    find: `select * from backtest_results where user_id = ${user}`,
  },
  {
    index: 'idx_api_connections_user',
    table: 'api_connections',
    find: `select * from api_connections where user_id = ${user}`,
  },
  {
    index: 'idx_audit_logs_user_time',
    table: 'audit_logs',
    find: `select * from audit_logs where user_id = ${user} order by timestamp desc limit 50`,
  },
  {
    index: 'idx_audit_logs_record',
    table: 'audit_logs',
    find: `select * from audit_logs where table_name = 'trades' and record_id = '${strategyId(7)}'`,
  },
  {
    index: 'idx_market_data_timestamp',
    table: 'market_data',
    find: `select coin_id, price from market_data where timestamp >= '2024-06-01 12:00' and timestamp < '2024-06-01 12:05'`,
  },
  {
    index: 'idx_ingest_runs_job',
    table: 'ingest_runs',
    find: `select * from ingest_runs where job = 'rare' order by started_at desc limit 1`,
  },
  {
    index: 'idx_ingest_runs_job_id',
    table: 'ingest_runs',
    find: `select * from ingest_runs where job_id = 'id-777'`,
  },
  {
    index: 'idx_ingest_runs_started_at',
    table: 'ingest_runs',
    find: `select * from ingest_runs order by started_at desc limit 50`,
  },
  {
    index: 'idx_candle_revisions_series',
    table: 'candle_revisions',
    find: `select * from candle_revisions where coin_id = 'coin-7' and timeframe = '1m' and timestamp >= '2024-05-31 23:00'`,
  },
  {
    index: 'a second copy of idx_ohlcv_timeframe_time',
    table: 'ohlcv_data',
    find: `select * from ohlcv_data where coin_id = 'coin-7' and timeframe = '1m' and timestamp >= '2024-05-31'`,
    wouldBe: 'create index second_copy on ohlcv_data (coin_id, timeframe, timestamp)',
  },
]

/** What the rows of the plan tests leave out: a day of prices of 120 coins, once a minute, and tables of our own. */
const moreRows = `
  set session_replication_role = replica;
  insert into coins (id, symbol, name, created_at, updated_at)
  select 'coin-' || n, 'COIN', 'A coin', '2024-06-01', '2024-06-01' from generate_series(20, 120) as n;
  create table market_data_y2024m06d01 partition of market_data for values from ('2024-06-01') to ('2024-06-02');
  insert into market_data (coin_id, price, timestamp)
  select 'coin-' || coin, 12, timestamp
  from generate_series(timestamp '2024-06-01', '2024-06-01 23:59', '1 minute') as timestamp, generate_series(0, 119) as coin;
  alter table backtest_results disable trigger audit_row_write;
  insert into backtest_results (strategy_id, user_id, start_date, end_date, initial_capital, final_capital, returns, win_rate,
    trades_count, max_drawdown, results_data, created_at)
  select id, user_id, '2024-01-01', '2024-06-01', 1000, 1100, 10, 50, 100, 5, '{}', '2024-06-01'
  from trading_strategies, generate_series(1, 10);
  alter table backtest_results enable always trigger audit_row_write;
  alter table api_connections disable trigger audit_row_write;
  insert into api_connections (user_id, provider, name, api_key, created_at, updated_at, status)
  select id, 'binance', 'mine', repeat('x', 100), '2024-06-01', '2024-06-01', 'active' from users, generate_series(1, 5);
  alter table api_connections enable always trigger audit_row_write;
  insert into audit_logs (id, table_name, operation, user_id, record_id, new_data, timestamp)
  select gen_random_uuid(), 'trades', 'INSERT', users.id, trading_strategies.id, '{}', '2024-06-01'::timestamp - n * interval '1 minute'
  from generate_series(1, 100) as n, trading_strategies join users on users.id = user_id;
  insert into ingest_runs (id, job, queue, job_id, attempt, payload, status, started_at)
  select gen_random_uuid(), case when n = 190000 then 'rare' else 'job-' || n % 10 end, 'candles', 'id-' || n, 1, '{}', 'done', '2024-06-01'::timestamp - n * interval '10 seconds'
  from generate_series(1, 200000) as n;
  insert into candle_revisions
  select coin_id, timeframe, timestamp, timestamp, 'binance', null, open, high, low, close, volume, open, high, low, close, volume
  from ohlcv_data_1m where timestamp >= '2024-05-22';
  reset session_replication_role;
  analyze;`

/** How many rows one write has. */
const rowsWritten = 20_000

/** What makes a copy of a row another row. */
const anew: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  market_data: { timestamp: `timestamp '2024-06-01' + random() * interval '1 day'` },
  ohlcv_data: { coin_id: `'coin-120'` },
}

/** Where the rows come from, if not from all over the table. */
const sources: Readonly<Record<string, string>> = { ohlcv_data: `ohlcv_data_1m where coin_id = 'coin-7'` }

/** The rows that are written into each table, with ids of their own. */
async function stage(client: Client): Promise<void> {
  for (const name of new Set(probes.map((probe) => probe.table))) {
    const columns = await columnsOf(client, name)
    const values = columns.map((column) =>
      column === 'id' ? 'gen_random_uuid()' : (anew[name]?.[column] ?? column),
    )
    await client.query(`
      create temporary table staged_${name} as
      select ${values.map((value, index) => `${value} as ${columns[index]}`).join(', ')}
      from ${sources[name] ?? name} order by random() limit ${rowsWritten}`)
  }
}

async function columnsOf(client: Client, name: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select attname as name from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum`,
    [name],
  )
  return rows.map((row) => row.name)
}

/** An index without a probe would go unmeasured. Those of keys are not asked for: what is unique stays so. */
async function checkProbes(client: Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(`
    select indexrelid::regclass::text as name
    from pg_index join pg_class on pg_class.oid = indexrelid
    where relnamespace = 'public'::regnamespace and not relispartition and not indisunique
    order by 1`)
  const probed = new Set(probes.map(({ index }) => index))
  const missing = rows.map(({ name }) => name).filter((name) => !probed.has(name))
  if (missing.length > 0) throw new Error(`give test/bench/indexes.ts a probe of ${missing.join(', ')}`)
}

type Way = Readonly<{ indexed: boolean }>

/** The work in a transaction with the index or without it, which leaves nothing behind. */
async function onWay<T>(
  client: Client,
  { index, wouldBe }: Probe,
  { indexed }: Way,
  work: () => Promise<T>,
): Promise<T> {
  await client.query('begin')
  try {
    if (wouldBe !== undefined && indexed) await client.query(wouldBe)
    if (wouldBe === undefined && !indexed) await client.query(`drop index ${index}`)
    return await work()
  } finally {
    await client.query('rollback')
  }
}

/** Bare: the rows and the indexes alone, without the triggers of foreign keys and of the audit log. */
async function writeSeconds(
  client: Client,
  probe: Probe,
  way: Way & Readonly<{ bare: boolean }>,
): Promise<number> {
  const took = await onWay(client, probe, way, async () => {
    if (way.bare) await client.query(`alter table ${probe.table} disable trigger all`)
    return processorSeconds(client, `insert into ${probe.table} select * from staged_${probe.table}`)
  })
  await client.query(`vacuum ${probe.table}`)
  return took
}

/** Of the server's process for one statement, as the server tells it: whatever else the machine does meanwhile. */
async function processorSeconds(client: Client, statement: string): Promise<number> {
  const details: string[] = []
  const hear = ({ detail }: Readonly<{ detail?: string | undefined }>) => void details.push(detail ?? '')
  await client.query('set local log_statement_stats = on; set local client_min_messages = log')
  client.on('notice', hear)
  await client.query(statement)
  client.off('notice', hear)
  const usage = /([\d.]+) s user, ([\d.]+) s system/.exec(details.join('\n'))
  if (!usage) throw new Error('the server did not tell what the statement took')
  return Number(usage[1]) + Number(usage[2])
}

type Node = Readonly<{ 'Node Type': string; 'Index Name'?: string; Plans?: readonly Node[] }>
type Found = Readonly<{ ms: number; by: string }>

async function find(client: Client, probe: Probe, way: Way): Promise<Found> {
  return onWay(client, probe, way, async () => {
    const ask = async () => {
      const { rows } = await client.query<{
        'QUERY PLAN': [{ Plan: Node; 'Execution Time': number }]
      }>(`explain (analyze, timing off, format json) ${probe.find}`)
      const answer = rows[0]?.['QUERY PLAN'][0]
      if (!answer) throw new Error('explain did not answer')
      return { ms: answer['Execution Time'], by: scanOf(answer.Plan) }
    }
    // The first one brings the pages in.
    await ask()
    return ask()
  })
}

const scanOf = (node: Node): string =>
  node['Index Name'] ??
  node.Plans?.map(scanOf).find((name) => name !== '') ??
  (node.Plans ? '' : node['Node Type'])

/** Of an index, or of those of all the partitions. Asked for first: what is rolled back makes them larger. */
const sizeSql = `
  select (pg_relation_size($1::regclass)
    + coalesce((select sum(pg_relation_size(relid)) from pg_partition_tree($1::regclass)), 0))::float8 as bytes`

async function sizeOf(client: Client, probe: Probe): Promise<number> {
  return onWay(client, probe, { indexed: true }, async () => {
    const name = probe.wouldBe === undefined ? probe.index : 'second_copy'
    const { rows } = await client.query<{ bytes: number }>(sizeSql, [name])
    return rows[0]?.bytes ?? Number.NaN
  })
}

/** `ratio` is that of a round: what slows the machine down for a while slows both. */
type Compared = Readonly<{ one: number; other: number; ratio: number }>

/** Medians of as many rounds, in which the two take turns. */
async function compare(one: () => Promise<number>, other: () => Promise<number>): Promise<Compared> {
  const measured: Compared[] = []
  for (let round = 0; round < rounds; round += 1) {
    const [first, second] = [await one(), await other()]
    measured.push({ one: first, other: second, ratio: first / second })
  }
  return {
    one: median(measured.map((round) => round.one)),
    other: median(measured.map((round) => round.other)),
    ratio: median(measured.map((round) => round.ratio)),
  }
}

async function measure(client: Client, probe: Probe, bytes: number | undefined) {
  const { by } = await find(client, probe, { indexed: true })
  const { by: byInstead } = await find(client, probe, { indexed: false })
  const found = await compare(
    async () => (await find(client, probe, { indexed: false })).ms,
    async () => (await find(client, probe, { indexed: true })).ms,
  )
  const writing = (bare: boolean) =>
    compare(
      () => writeSeconds(client, probe, { indexed: true, bare }),
      () => writeSeconds(client, probe, { indexed: false, bare }),
    )
  const written = await writing(false)
  const writtenBare = await writing(true)
  process.stderr.write(`${probe.index}\n`)
  return {
    index: probe.index,
    table: probe.table,
    bytes,
    writeSeconds: written.one,
    write: written.ratio,
    bareWriteSeconds: writtenBare.one,
    bareWrite: writtenBare.ratio,
    foundMs: found.other,
    foundWithoutMs: found.one,
    speed: found.ratio,
    by,
    byInstead,
  }
}

/** What would come in the middle of a round. */
const quiet = ['autovacuum = off', `checkpoint_timeout = '1h'`, `max_wal_size = '8GB'`]

async function onDatabase<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'beacon-bench-'))
  const log = openLog({ level: 'error', pretty: false })
  const server = await openEmbeddedPostgres({ dataDir: join(dir, 'postgres'), log })
  const client = new Client({ connectionString: server.url })
  try {
    await migrateUp(server.url)
    const pool = new Pool({ connectionString: server.url })
    await populate(pool)
    await pool.end()
    await client.connect()
    for (const setting of quiet) await client.query(`alter system set ${setting}`)
    await client.query('select pg_reload_conf()')
    await client.query(moreRows)
    return await work(client)
  } finally {
    await client.end()
    await server.release()
    await rm(dir, { recursive: true, force: true })
  }
}

/** Every index, one after another. */
export async function benchIndexes(): Promise<Findings> {
  const results = await onDatabase(async (client) => {
    await checkProbes(client)
    await stage(client)
    const sizes = new Map<Probe, number>()
    for (const probe of probes) sizes.set(probe, await sizeOf(client, probe))
    const measured = []
    for (const probe of probes) measured.push(await measure(client, probe, sizes.get(probe)))
    return measured
  })
  return {
    text: table(results, [
      { title: 'index', of: ({ index }) => index },
      { title: 'size', of: ({ bytes }) => bytesText(bytes ?? Number.NaN), align: 'right' },
      { title: 'write', of: ({ write }) => `${write.toFixed(2)} ×`, align: 'right' },
      { title: 'bare write', of: ({ bareWrite }) => `${bareWrite.toFixed(2)} ×`, align: 'right' },
      { title: 'find, ms', of: ({ foundMs }) => foundMs.toFixed(3), align: 'right' },
      { title: 'without, ms', of: ({ foundWithoutMs }) => foundWithoutMs.toFixed(3), align: 'right' },
      { title: 'speed', of: ({ speed }) => `${speed.toFixed(1)} ×`, align: 'right' },
      { title: 'without it, by', of: ({ byInstead }) => byInstead },
    ]),
    json: { bench: 'indexes', rounds, rowsWritten, results },
  }
}
