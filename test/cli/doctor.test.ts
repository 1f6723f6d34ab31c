import { expect, test } from 'vitest'
import { jobs } from '../../jobs/catalog.ts'
import { leastSkewMs } from '../../src/cli/doctor/clocks.ts'
import { redisSettingsFindings, redisVersionFindings } from '../../src/cli/doctor/redis.ts'
import { postgresFindings } from '../../src/cli/doctor/server.ts'
import { hour, plus } from '../../src/market/instant.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { freePort } from '../../src/runtime/free-port.ts'
import { announceRoles } from '../../src/runtime/presence.ts'
import { readSettings } from '../../src/settings.ts'
import { listCoins } from '../../src/store/coins.ts'
import { finishRun, startRun } from '../../src/store/runs.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { recordingLog } from '../queue/fleet.ts'
import type { EndedLine } from './line-runner.ts'
import { openSite, type Site } from './site.ts'

type Told = Readonly<{ severity: string; sentence: string; remedy: string }>

/** What one check has found, as JSON tells it. */
function findings({ stdout }: EndedLine, name: string): readonly Told[] {
  const { checks }: { checks: { name: string; findings: Told[] }[] } = JSON.parse(stdout)
  const check = checks.find((one) => one.name === name)
  if (!check) throw new Error(`no check ${name} in ${stdout}`)
  return check.findings
}

const stored = { from: '2024-03-01T00:00Z', to: '2024-03-03T00:00Z' }
const gone = '--from 2024-03-01T05:00:00.000Z --to 2024-03-01T06:00:00.000Z'
const mend = 'doctor --deep --mend --json'

// Several processes, one after another on a loaded machine.
const patient = { timeout: 150_000 }

test.concurrent(
  'the doctor finds what was planted, names what mends it, and that mends it',
  patient,
  async () => {
    await using site = await openSite()
    const unreachable = { DATABASE_URL: `postgresql://127.0.0.1:${await freePort(0)}/beacon` }
    const [fresh, unreached, wrong, , stale] = await site.runLines([
      'doctor',
      { line: 'doctor --json', variables: unreachable },
      'doctor --mend',
      `backfill bitcoin --timeframe 1h --from ${stored.from} --to ${stored.to} --force`,
      'doctor --deep --json',
    ])
    if (!fresh || !unreached || !stale) throw new Error('the lines have ended')
    expect(fresh).toMatchObject({ code: 1, stderr: expect.stringMatching(/^error: \d+ findings to see to/) })
    expect(fresh.stdout).toMatch(
      /^database +fine\nmigrations +fine\nprocesses +error: No daemon is running\.\n +→ npx beacon start\npartitions +error: ohlcv_data_1m has no/,
    )
    expect(fresh.stdout).toMatch(/\n +→ npx beacon partitions ensure\n/)
    expect(unreached.code).toBe(1)
    expect(findings(unreached, 'database')).toMatchObject([
      { severity: 'error', sentence: expect.stringContaining('does not answer') },
    ])
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('--mend needs --deep') })
    expect(findings(stale, 'ledger')).toEqual([])
    expect(findings(stale, 'freshness')).toContainEqual({
      severity: 'error',
      sentence: expect.stringMatching(/^1h of bitcoin \(binance\) has had no candle for [\d,]+ days\.$/),
      remedy: expect.stringContaining('npx beacon start'),
    })

    const { pool } = site.database
    await pool.query(`delete from ohlcv_data where timestamp = '2024-03-01 05:00'`)
    await pool.query(`insert into ohlcv_data values ('bitcoin', '2024-03-09 00:00', '1h', 1, 1, 1, 1, 1)`)
    await pool.query(
      `insert into candle_coverage values ('bitcoin', '1h', 'binance', 'refused', '{[2024-03-02,2024-03-03)}', now())`,
    )
    const [told, mended, repaired, again] = await site.runLines([
      'doctor --deep --json',
      mend,
      `gaps bitcoin --timeframe 1h ${gone} --repair --json`,
      'doctor --deep --json',
    ])
    if (!told || !mended || !repaired || !again) throw new Error('the lines have ended')
    expect(told.code).toBe(1)
    const [missing, unrecorded, overlapping] = findings(told, 'ledger')
    expect(missing).toEqual({
      severity: 'error',
      sentence:
        'bitcoin 1h from 2024-03-01 05:00 to 2024-03-01 06:00: 1 candle recorded as stored, without a row in ohlcv_data_1h_y2024m03.',
      remedy: `npx beacon doctor --deep --mend, and then: npx beacon gaps bitcoin --timeframe 1h ${gone} --repair`,
    })
    expect(unrecorded?.sentence).toMatch(
      /^bitcoin 1h from 2024-03-09 00:00 .* that nothing is recorded of\.$/,
    )
    expect(overlapping?.sentence).toMatch(/recorded by binance as stored and refused\.$/)
    expect(findings(mended, 'ledger').map(({ severity }) => severity)).toEqual([
      'warning',
      'error',
      'warning',
    ])
    expect(repaired).toMatchObject({ code: 0, stdout: expect.stringContaining('"gaps": []') })
    expect(findings(again, 'ledger')).toEqual([unrecorded])
  },
)

/** As if everything that is due in the next hour had run well. */
async function runEverything({ database: { pool }, variables }: Site): Promise<void> {
  const db = databaseOf(pool)
  const coins = await listCoins(db)
  for (const job of jobs) {
    for (const { payload } of job.schedules?.(readSettings(variables), coins) ?? []) {
      const queue = job.queueOf(payload)
      const startedAt = plus(systemClock.now(), hour)
      const runId = await startRun(db, { job: job.name, queue, jobId: '1', attempt: 1, payload, startedAt })
      await finishRun(db, runId, { status: 'done', outcome: {} }, startedAt)
    }
  }
}

test.concurrent(
  'a daemon that is missing is named, as an error once something was due',
  patient,
  async () => {
    await using site = await openSite({ config: 'follow: [bitcoin]\n' })
    const { url } = site.database
    const look = async () => {
      const [told] = await site.runLines(['doctor --json'])
      if (!told) throw new Error('the line has ended')
      return findings(told, 'processes').map(({ severity, remedy }) => [severity, remedy])
    }
    expect(await look()).toEqual([['error', 'npx beacon start']])
    await runEverything(site)
    expect(await look()).toEqual([['warning', 'npx beacon start']])
    const worker = await announceRoles(url, ['worker'], 'postgres', recordingLog())
    expect(await look()).toEqual([
      ['warning', 'npx beacon start --roles scheduler'],
      ['warning', 'npx beacon start --roles web'],
    ])
    const others = await announceRoles(url, ['scheduler', 'web'], 'postgres', recordingLog())
    expect(await look()).toEqual([])
    await worker.release()
    await site.database.pool.query('delete from ingest_runs')
    expect(await look()).toEqual([['error', 'npx beacon start --roles worker']])
    await others.release()
  },
)

test.concurrent(
  'partitions that somebody else has made are named, with what they prevent',
  patient,
  async () => {
    await using site = await openSite({ config: 'follow: [bitcoin]\n' })
    await site.runLines(['partitions ensure'])
    const { pool } = site.database
    await pool.query(`
    create schema "Other";
    create table "Other".mine partition of ohlcv_data_1m for values from ('2024-03-01 05:00') to ('2024-03-02 05:00');
    create table renamed partition of ohlcv_data_1h for values from ('2024-03-01') to ('2024-04-01');
    create table leftovers partition of market_data default`)
    const [told, list, ensured, listJson] = await site.runLines([
      'doctor --json',
      'partitions list',
      'partitions ensure',
      'partitions list --json',
    ])
    if (!told) throw new Error('the lines have ended')
    expect(findings(told, 'partitions')).toMatchObject([
      {
        ...found(/^public\.leftovers is the DEFAULT partition of market_data/, /^In psql: do \$\$/),
      },
      {
        ...found(
          /^public\.renamed .* another name than ohlcv_data_1h_y2024m03/,
          /^alter table public\."renamed" rename/,
        ),
        severity: 'warning',
      },
      {
        ...found(
          /^"Other"\.mine \(FOR VALUES FROM \('2024-03-01 05:00:00'\) TO \('2024-03-02 05:00:00'\)\) .* other bounds than a day/,
          /To replace it: begin; alter table public\.ohlcv_data_1m detach partition "Other"\.mine; .*commit$/,
        ),
        severity: 'warning',
      },
    ])
    expect(list?.stdout).toMatch(
      /^ohlcv_data_1m +"Other"\.mine +2024-03-01 05:00 +2024-03-02 05:00 .* other bounds$/m,
    )
    expect(list?.stdout).toMatch(/^market_data +leftovers .* default partition$/m)
    expect(JSON.parse(listJson?.stdout ?? '').partitions).toContainEqual(
      expect.objectContaining({
        schema: 'Other',
        name: 'mine',
        irregular: expect.objectContaining({ kind: 'bounds' }),
      }),
    )
    expect(ensured).toMatchObject({ code: 0, stdout: 'All of them are there.\n' })
    expect(ensured?.stderr).toMatch(/^note: "Other"\.mine .*; see: beacon doctor$/m)
  },
)

/** One of each thing that can be wrong in a database. */
const spoiling = `
  create table ohlcv_data_1m_y2024m05d17 (like ohlcv_data_1m including all);
  create table market_data_y2024m05d16 (like market_data);
  insert into expiring_partitions (name, parent, holds_from, holds_to, ending, began_at)
    values ('market_data_y2024m05d16', 'market_data', '2024-05-16', '2024-05-17', 'drop', '2024-07-01');
  alter table trades no force row level security;
  grant select on ohlcv_data_1h_y2024m03 to beacon_readonly;
  insert into archives (id, table_name, partition_name, range_from, range_to, state, place, file_name, columns, created_at,
      row_count, bytes, sha256, checksums, verified_at, dropped_at)
    values ('7f3a0000-0000-0000-0000-000000000000', 'ohlcv_data_1h', 'ohlcv_data_1h_y2023m01', '2023-01-01', '2023-02-01',
      'dropped', 'file:///gone/', 'ohlcv_data_1h/ohlcv_data_1h_y2023m01.7f3a.parquet', '[]', '2024-01-01', 1, 100,
      repeat('0', 64), '{}', '2024-01-01', '2024-01-01');
  insert into ingest_runs (id, job, queue, job_id, attempt, payload, status, started_at, finished_at, outcome)
    values ('7f3a0000-0000-0000-0000-000000000001', 'ensure-partitions', 'upkeep', '1', 1, '{}', 'done', '2024-01-01',
      '2024-01-01', '{}');
  insert into database_samples (sampled_at, counters, connections_active, connections_idle, connections_waiting, connections_max,
      database_bytes, ping_ms, disk_free_bytes)
    select now() at time zone 'UTC' - ago, '{}', 1, 1, 0, 100, bytes, 1, 6000000000
    from (values (interval '2 days', 1000000000), (interval '1 minute', 3000000000)) as sample (ago, bytes)`

test.concurrent('each thing that was made wrong is found, once, with what mends it', patient, async () => {
  await using site = await openSite({ config: 'follow: [bitcoin]\n' })
  const [, sound] = await site.runLines([
    `backfill bitcoin --timeframe 1h --from ${stored.from} --to ${stored.to} --force`,
    'doctor --json',
  ])
  if (!sound) throw new Error('the lines have ended')
  const names = ['detached', 'rights', 'versions', 'clocks', 'disk', 'statements', 'archives']
  expect(names.flatMap((name) => findings(sound, name))).toEqual([])
  expect(findings(sound, 'runs')).toMatchObject([
    { severity: 'warning', sentence: expect.stringMatching(/^Never ran well: /) },
  ])

  await site.database.pool.query(spoiling)
  // Nothing listens there.
  const away = { BINANCE_BASE_URL: 'http://127.0.0.1:1' }
  const [wrong] = await site.runLines([{ line: 'doctor --json', variables: away }])
  if (!wrong) throw new Error('the lines have ended')
  expect(wrong.code).toBe(1)
  expect(findings(wrong, 'detached')).toEqual([
    found(
      /^ohlcv_data_1m_y2024m05d17 .* belongs to no table/,
      /^alter table .* drop table ohlcv_data_1m_y2024m05d17$/,
    ),
    found(/^market_data_y2024m05d16 was to be dropped since 2024-07-01 00:00/, /^npx beacon retention/),
  ])
  expect(findings(wrong, 'rights')).toEqual([
    found(/does not bind everybody on trades:/, /^alter table trades enable row level security, force/),
    found(
      /: beacon_readonly on ohlcv_data_1h_y2024m03\.$/,
      /^revoke all on ohlcv_data_1h_y2024m03 from beacon_readonly$/,
    ),
  ])
  expect(findings(wrong, 'archives')).toEqual([
    found(/^ohlcv_data_1h\/.*parquet is not in /, /^Put back a copy .* beacon archive verify 7f3a0000$/),
  ])
  expect(findings(wrong, 'runs')).toContainEqual(
    found(/^Overdue for [\d,]+ \w+: ensure-partitions\.$/, /npx beacon start$/),
  )
  expect(findings(wrong, 'clocks')).toContainEqual(
    found(/^binance did not tell its time: binance cannot be reached/, /BINANCE_BASE_URL/),
  )
  expect(findings(wrong, 'disk')).toEqual([
    { ...found(/^The database's disk will be full in 5 days/, /^Make room/), severity: 'warning' },
  ])

  // Whoever does what it says is rid of it.
  const remedies = [...findings(wrong, 'detached'), ...findings(wrong, 'rights')].map(({ remedy }) => remedy)
  for (const remedy of remedies.filter((one) => !one.startsWith('npx')))
    await site.database.pool.query(remedy)
  const [kept, , , mended] = await site.runLines(['retention', 'views refresh', 'retention', 'doctor --json'])
  expect(kept?.stderr).toMatch(/^error: the summaries have not been refreshed .*: beacon views refresh\n$/)
  if (!mended) throw new Error('the lines have ended')
  expect([...findings(mended, 'detached'), ...findings(mended, 'rights')]).toEqual([])
})

/** An error that says so. */
const found = (sentence: RegExp, remedy: RegExp) => ({
  severity: 'error',
  sentence: expect.stringMatching(sentence),
  remedy: expect.stringMatching(remedy),
})

const server = {
  version: '18.1',
  major: 18,
  maxConnections: 100,
  reservedConnections: 3,
  sessions: 5,
  ownSessions: 5,
  timeZone: 'UTC',
  encoding: 'UTF8',
  fsync: true,
  fullPageWrites: true,
  autovacuum: true,
}

test.each([
  ['nothing', {}, []],
  ['too few connections for another daemon', { sessions: 45, ownSessions: 5 }, ['warning']],
  ['no connection left', { sessions: 97 }, ['error']],
  ['another time zone', { timeZone: 'Asia/Kolkata' }, ['error']],
  ['no safety', { fsync: false, autovacuum: false }, ['error', 'error']],
])('of a server with %s wrong, so much is said', (_, parts, severities) => {
  const told = postgresFindings({ ...server, ...parts }, { maxConnections: 50 })
  expect(told.map(({ severity }) => severity)).toEqual(severities)
})

test.each([
  ['noeviction', '7.2.4', []],
  ['allkeys-lru', '7.2.4', ['error']],
  ['noeviction', '5.0.14', ['error']],
])('of a Redis with %s and version %s, so much is said', (policy, version, severities) => {
  const facts = new Map([
    ['maxmemory_policy', policy],
    ['redis_version', version],
    ['aof_enabled', '1'],
  ])
  const told = [...redisVersionFindings(facts), ...redisSettingsFindings(facts)]
  expect(told.map(({ severity }) => severity)).toEqual(severities)
})

test.each([
  [
    'nothing is known within the second that a header tells',
    { before: 10_000, after: 10_400, theirs: 9_500 },
    0,
  ],
  ['ahead by what is sure', { before: 17_000, after: 17_400, theirs: 9_000 }, 7_000],
  ['behind by what is sure', { before: 1_000, after: 1_400, theirs: 9_000 }, -7_600],
  ['an answer that took long says little', { before: 1_000, after: 11_400, theirs: 9_000 }, 0],
])('of two clocks, %s', (_, seen, skewMs) => {
  expect(leastSkewMs(seen)).toBe(skewMs)
})
