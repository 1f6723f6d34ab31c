import { expect, test } from 'vitest'
import { leastSkewMs } from '../../src/cli/doctor/clocks.ts'
import { redisSettingsFindings, redisVersionFindings } from '../../src/cli/doctor/redis.ts'
import { lockFindings, postgresFindings } from '../../src/cli/doctor/server.ts'
import { freePort } from '../../src/runtime/free-port.ts'
import { findings, found } from './support/findings.ts'
import { openSite } from './support/site.ts'

const stored = { from: '2024-03-01T00:00Z', to: '2024-03-03T00:00Z' }
const gone = '--from 2024-03-01T05:00:00.000Z --to 2024-03-01T06:00:00.000Z'
const repair = 'doctor --deep --repair --json'

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
      'doctor --repair',
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
      { severity: 'error', message: expect.stringContaining('does not answer') },
    ])
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('--repair needs --deep') })
    expect(findings(stale, 'coverage')).toEqual([])
    expect(findings(stale, 'freshness')).toContainEqual({
      severity: 'error',
      message: expect.stringMatching(/^1h of bitcoin \(binance\) has had no candle for [\d,]+ days\.$/),
      remedy: expect.stringContaining('npx beacon start'),
    })

    const { pool } = site.database
    await pool.query(`delete from ohlcv_data where timestamp = '2024-03-01 05:00'`)
    await pool.query(`insert into ohlcv_data values ('bitcoin', '2024-03-09 00:00', '1h', 1, 1, 1, 1, 1)`)
    await pool.query(
      `insert into candle_coverage values ('bitcoin', '1h', 'binance', 'refused', '{[2024-03-02,2024-03-03)}', now())`,
    )
    const [reported, mended, repaired, again] = await site.runLines([
      'doctor --deep --json',
      repair,
      `gaps bitcoin --timeframe 1h ${gone} --repair --force --json`,
      'doctor --deep --json',
    ])
    if (!reported || !mended || !repaired || !again) throw new Error('the lines have ended')
    expect(reported.code).toBe(1)
    const [missing, unrecorded, overlapping] = findings(reported, 'coverage')
    expect(missing).toEqual({
      severity: 'error',
      message:
        'bitcoin 1h from 2024-03-01 05:00 to 2024-03-01 06:00: 1 candle recorded as stored, without a row in ohlcv_data_1h_y2024m03.',
      remedy: `npx beacon doctor --deep --repair, and then: npx beacon gaps bitcoin --timeframe 1h ${gone} --repair --force`,
    })
    expect(unrecorded?.message).toMatch(/^bitcoin 1h from 2024-03-09 00:00 .* that nothing is recorded of\.$/)
    expect(overlapping?.message).toMatch(/recorded by binance as stored and refused\.$/)
    expect(findings(mended, 'coverage').map(({ severity }) => severity)).toEqual([
      'warning',
      'error',
      'warning',
    ])
    expect(repaired).toMatchObject({ code: 0, stdout: expect.stringContaining('"gaps": []') })
    expect(findings(again, 'coverage')).toEqual([unrecorded])
  },
)

/** One of each thing that can be wrong in a database. */
const spoiling = `
  create table ohlcv_data_1m_y2024m05d17 (like ohlcv_data_1m including all);
  create view mine as select * from ohlcv_data_1h_y2024m03;
  alter table trades no force row level security;
  grant select on ohlcv_data_1h_y2024m03 to beacon_readonly;
  insert into archives (id, table_name, partition_name, range_from, range_to, state, place, file_name, columns, created_at,
      row_count, bytes, sha256, checksums, verified_at, dropped_at)
    values ('7f3a0000-0000-0000-0000-000000000000', 'ohlcv_data_1h', 'ohlcv_data_1h_y2023m01', '2023-01-01', '2023-02-01',
      'dropped', 'file:///gone/', 'ohlcv_data_1h/ohlcv_data_1h_y2023m01.7f3a.parquet', '[]', '2024-01-01', 1, 100,
      repeat('0', 64), '{}', '2024-01-01', '2024-01-01');
  insert into ingest_runs (id, job, queue, job_id, attempt, payload, status, started_at, finished_at, outcome)
    values ('7f3a0000-0000-0000-0000-000000000001', 'ensure-partitions', 'maintenance', '1', 1, '{}', 'done', '2024-01-01',
      '2024-01-01', '{}');
  insert into database_samples (sampled_at, counters, connections_active, connections_idle, connections_waiting, connections_max,
      database_bytes, ping_ms, disk_free_bytes)
    select now() at time zone 'UTC' - ago, '{}', 1, 1, 0, 100, bytes, 1, 6000000000
    from (values (interval '2 days', 1000000000), (interval '1 minute', 3000000000)) as sample (ago, bytes)`

test.concurrent('each thing that was made wrong is found, once, with what mends it', patient, async () => {
  await using site = await openSite({ config: 'track: [bitcoin]\n' })
  const [, sound] = await site.runLines([
    `backfill bitcoin --timeframe 1h --from ${stored.from} --to ${stored.to} --force`,
    'doctor --json',
  ])
  if (!sound) throw new Error('the lines have ended')
  const names = ['detached', 'retention', 'rights', 'versions', 'clocks', 'disk', 'archives']
  expect(names.flatMap((name) => findings(sound, name))).toEqual([])
  // The login of the tests is an ordinary one.
  expect(findings(sound, 'statements')).toEqual([
    { ...found(/^The login hub_owner does not see/, /^grant pg_monitor to hub_owner$/), severity: 'warning' },
  ])
  expect(findings(sound, 'runs')).toMatchObject([
    { severity: 'warning', message: expect.stringMatching(/^Never ran well: /) },
  ])

  await site.database.pool.query(spoiling)
  // Nothing listens there.
  const away = { BINANCE_BASE_URL: 'http://127.0.0.1:1' }
  const [wrong] = await site.runLines([{ line: 'doctor --json', variables: away }])
  if (!wrong) throw new Error('the lines have ended')
  expect(wrong.code).toBe(1)
  expect(findings(wrong, 'detached')).toEqual([
    found(
      /^ohlcv_data_1m_y2024m05d17 .* is detached from its table/,
      /^alter table .* drop table ohlcv_data_1m_y2024m05d17$/,
    ),
  ])
  expect(findings(wrong, 'retention')).toEqual([
    found(
      /^ohlcv_data_1h_y2024m03 is not deleted by retention: the view public\.mine of somebody else depends on it\.$/,
      /^drop view public\.mine$/,
    ),
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
    found(/^binance did not return its time: binance cannot be reached/, /BINANCE_BASE_URL/),
  )
  expect(findings(wrong, 'disk')).toEqual([
    { ...found(/^The database's disk will be full in 5 days/, /^Make room/), severity: 'warning' },
  ])

  // Whoever does what it says is rid of it.
  const remedies = [...findings(wrong, 'detached'), ...findings(wrong, 'rights')].map(({ remedy }) => remedy)
  for (const remedy of remedies.filter((one) => !one.startsWith('npx')))
    await site.database.pool.query(remedy)
  const [kept, , , mended] = await site.runLines(['retention', 'views refresh', 'retention', 'doctor --json'])
  expect(kept?.stderr).toMatch(
    /^error: nothing is deleted: the clock says .* and the newest candle or price is of /,
  )
  if (!mended) throw new Error('the lines have ended')
  expect([...findings(mended, 'detached'), ...findings(mended, 'rights')]).toEqual([])
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
  maxLocksPerTransaction: 64,
  maxPreparedTransactions: 0,
}

test.each([
  ['nothing', {}, []],
  ['too few connections for another daemon', { sessions: 45, ownSessions: 5 }, ['warning']],
  ['no connection left', { sessions: 97 }, ['error']],
  ['another time zone', { timeZone: 'Asia/Kolkata' }, ['error']],
  ['no safety', { fsync: false, autovacuum: false }, ['error', 'error']],
])('of a server with %s wrong, so much is said', (_, parts, severities) => {
  const reported = postgresFindings({ ...server, ...parts }, { maxConnections: 50 })
  expect(reported.map(({ severity }) => severity)).toEqual(severities)
})

test.each([
  ['a hundred partitions', 200, [], ''],
  ['six hundred', 1_200, ['warning'], 'set max_locks_per_transaction = 640 '],
  ['thousands', 5_208, ['error'], 'set max_locks_per_transaction = 2624 '],
])('of the locks for %s, so much is said', (_, locks, severities, remedy) => {
  const reported = lockFindings(server, locks, { maxConnections: 50 })
  expect(reported.map(({ severity }) => severity)).toEqual(severities)
  expect(reported.map((one) => one.remedy).join()).toContain(remedy)
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
  const reported = [...redisVersionFindings(facts), ...redisSettingsFindings(facts)]
  expect(reported.map(({ severity }) => severity)).toEqual(severities)
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
