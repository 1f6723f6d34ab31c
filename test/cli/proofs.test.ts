import { createHash } from 'node:crypto'
import { Client } from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { test as base, describe, expect } from 'vitest'
import { readText } from '../ground/project.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import type { Line } from './support/beacon.ts'
import type { EndedLine } from './support/line-runner.ts'
import { openSite, type Site } from './support/site.ts'

const week = '--from 2024-03-01 --to 2024-03-08'
const certificate = `certificate bitcoin --timeframe 1h ${week}`
const verifyWeek = `verify bitcoin --timeframe 1h ${week}`
const etherCertificate = `certificate ethereum --timeframe 1h ${week} --json`

/** Runs named lines one after the other in one process, which costs more than all of them. */
async function runNamed<Name extends string>(site: Site, lines: Readonly<Record<Name, Line>>) {
  const ends = await site.runLines(Object.values<Line>(lines))
  const byName = new Map(Object.keys(lines).map((name, index) => [name, ends[index]]))
  return (name: Name): EndedLine => {
    const end = byName.get(name)
    if (!end) throw new Error(`no line is called ${name}`)
    return end
  }
}

const jsonOf = ({ stdout }: EndedLine) => JSON.parse(stdout)
/** The one certificate, or the one verification, of an answer. */
const oneOf = (end: EndedLine) => {
  const { certificates, verifications } = jsonOf(end)
  const [one, ...others] = certificates ?? verifications
  expect(others).toEqual([])
  return one
}

const loadAndLook = (another: TestDatabase) => {
  const there = (line: string) => ({ line, variables: { DATABASE_URL: another.url } })
  return {
    load: `backfill bitcoin --timeframe 1h ${week} --force`,
    // The other copy is loaded in another order, and by other runs.
    'load there': there('backfill bitcoin --timeframe 1h --from 2024-03-04 --to 2024-03-08 --force'),
    'load the rest there': there('backfill bitcoin --timeframe 1h --from 2024-03-01 --to 2024-03-04 --force'),
    certificate: `${certificate} --json`,
    'certificate there': there(`${certificate} --json`),
    'certificate as text': certificate,
    statement: `${certificate} --sql`,
    'longer certificate': 'certificate bitcoin --timeframe 1h --from 2024-03-01 --to 2024-03-09 --json',
    verify: verifyWeek,
    'load lies': `backfill ethereum --timeframe 1h ${week} --force`,
    quarantine: 'quarantine list --coin ethereum --json',
  }
}

const lookAtDamage = (another: TestDatabase, id: string) => ({
  'certificate there': { line: `${certificate} --json`, variables: { DATABASE_URL: another.url } },
  verify: verifyWeek,
  'verify as JSON': `${verifyWeek} --json`,
  sample: `${verifyWeek} --sample 1`,
  'seeded sample': `${verifyWeek} --sample 1 --seed abc --json`,
  repair: `${verifyWeek} --repair`,
  'verify again': verifyWeek,
  revisions: 'candles bitcoin --timeframe 1h --revisions --json',
  'revisions as text': 'candles bitcoin --timeframe 1h --revisions',
  'revisions of another day': 'candles bitcoin --timeframe 1h --revisions --from 2024-03-03 --to 2024-03-04',
  list: 'quarantine list',
  'list of nothing': 'quarantine list --reason nothing-like-it',
  show: `quarantine show ${id}`,
  discard: `quarantine discard ${id} --reason testing --by ada --json`,
  'list after': 'quarantine list --json',
  'list of settled': 'quarantine list --resolved',
  'certificate with a discarded one': etherCertificate,
  'verify with a discarded one': `verify ethereum --timeframe 1h ${week}`,
  retry: `quarantine retry ${id} --json`,
  'certificate after the retry': etherCertificate,
  'show of nothing': 'quarantine show 0000dead',
  'retry of nothing': 'quarantine retry',
})

/** One site for all sentences: loaded from an exchange that lies once, looked at, damaged, and looked at again. */
const test = base
  .extend('engine', { scope: 'file' }, 'postgres' as const)
  .extend('site', { scope: 'file' }, async ({ engine }, { onCleanup }) => {
    const site = await openSite({ engine })
    onCleanup(() => site[Symbol.asyncDispose]())
    return site
  })
  .extend('another', { scope: 'file' }, async ({ site: _ }, { onCleanup }) => {
    const another = await createTestDatabase()
    onCleanup(another.drop)
    return another
  })
  .extend('sound', { scope: 'file' }, async ({ site, another }) => {
    const fault = { name: 'high-below-low', row: 5 } as const
    site.exchange.setFaults([
      { path: '/api/v3/klines', query: { symbol: 'ETHUSDT' }, when: { nth: 1 }, fault },
    ])
    return runNamed(site, loadAndLook(another))
  })
  .extend('kept', { scope: 'file' }, ({ sound }) => jsonOf(sound('quarantine')).rows[0])
  .extend('damaged', { scope: 'file' }, async ({ site, another, kept }) => {
    await another.pool.query(`delete from ohlcv_data where timestamp = '2024-03-02 05:00'`)
    const { pool } = site.database
    await pool.query(
      `update ohlcv_data set close = low where timestamp = '2024-03-02 05:00' and coin_id = 'bitcoin'`,
    )
    await pool.query(`delete from ohlcv_data where timestamp = '2024-03-02 07:00' and coin_id = 'bitcoin'`)
    return runNamed(site, lookAtDamage(another, kept.id.slice(0, 8)))
  })

/** What `psql … | sha256sum` makes of a statement. */
async function sha256Of({ url }: TestDatabase, statement: string): Promise<string> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    const hash = createHash('sha256')
    for await (const piece of client.query(copyTo(statement.replace(/;\s*$/, '')))) hash.update(piece)
    return hash.digest('hex')
  } finally {
    await client.end()
  }
}

describe('a certificate', () => {
  test('names all there is of a series, and what it comes from', ({ sound }) => {
    expect(oneOf(sound('certificate'))).toMatchObject({
      coinId: 'bitcoin',
      timeframe: '1h',
      from: '2024-03-01T00:00:00.000Z',
      to: '2024-03-08T00:00:00.000Z',
      expected: 168,
      stored: 168,
      absent: {},
      refused: 0,
      missing: 0,
      provisional: 0,
      revised: 0,
      sources: [{ source: 'binance', candles: 168, rangeCount: 1 }],
      runs: { count: 1, first: [{ job: 'backfill-candles', source: 'binance', status: 'done' }] },
    })
    expect(oneOf(sound('longer certificate'))).toMatchObject({ expected: 192, stored: 168, missing: 24 })
  })

  test('has the SHA-256 of any other copy, which psql and the page compute without us', async ({
    site,
    another,
    sound,
  }) => {
    const { sha256 } = oneOf(sound('certificate'))
    expect(oneOf(sound('certificate there'))).toMatchObject({ sha256, runs: { count: 2 } })
    expect(oneOf(sound('longer certificate')).sha256).toBe(sha256)
    expect(sound('certificate as text').stdout).toContain(sha256)
    const [, page = ''] = /<<'SQL'[^\n]*\n(.*?)^SQL$/ms.exec(readText('docs/proofs.md')) ?? []
    expect(page).toMatch(/^copy /)
    expect(await sha256Of(site.database, page)).toBe(sha256)
    expect(await sha256Of(site.database, sound('statement').stdout)).toBe(sha256)
    expect(another.url).not.toBe(site.database.url)
  })

  test('fails where the table and the coverage disagree', ({ sound, damaged }) => {
    const end = damaged('certificate there')
    expect(end.code).toBe(1)
    expect(end.stderr).toBe(
      'error: the table has 167 candles, and the coverage records 168. Find the difference with: beacon doctor --deep\n',
    )
    expect(oneOf(end).sha256).not.toBe(oneOf(sound('certificate')).sha256)
  })
})

describe('verify', () => {
  test('ends well where nothing differs', ({ sound }) => {
    expect(sound('verify')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^identical +168$/m) })
  })

  test('shows what differs with both sides, and fails', ({ damaged }) => {
    const { code, stdout, stderr } = damaged('verify')
    expect(code).toBe(1)
    expect(stdout).toMatch(/^revised +1 .*\nmissing +1 /m)
    expect(stdout).toMatch(/^revised: 2024-03-02 05:00 {2}close [\d.]+, now [\d.]+$/m)
    expect(stderr).toMatch(/\nerror: 2 candles of bitcoin 1h differ from the source\. .*--repair\n$/)
    expect(oneOf(damaged('verify as JSON'))).toMatchObject({
      identical: 166,
      revised: { candles: 1, examples: [{ openTime: '2024-03-02T05:00:00.000Z' }] },
      missing: { candles: 1, examples: [{ openTime: '2024-03-02T07:00:00.000Z' }] },
      extra: { candles: 0, examples: [] },
    })
  })

  test('prints the seed of a sample, and takes one', ({ damaged }) => {
    expect(damaged('sample').stderr).toMatch(/chosen by --seed [0-9a-f]{8}\n/)
    expect(oneOf(damaged('seeded sample')).sampled).toEqual({ seed: 'abc', pages: 1, of: 1 })
  })

  test('takes over what differs when asked, and what it replaced stays to be seen', async ({
    site,
    damaged,
  }) => {
    expect(damaged('repair')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^repaired: 1 new, 1 revised/m),
    })
    expect(damaged('verify again')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^identical +168$/m),
    })
    const [{ stored, given }] = oneOf(damaged('verify as JSON')).revised.examples
    const { revisions } = jsonOf(damaged('revisions'))
    expect(revisions).toMatchObject([
      { openTime: '2024-03-02T05:00:00.000Z', source: 'binance', old: stored, new: given },
    ])
    const [{ runId }] = revisions
    const runs = await site.database.pool.query('select job from ingest_runs where id = $1', [runId])
    expect(runs.rows).toEqual([{ job: 'repair-differences' }])
    expect(damaged('revisions as text').stdout).toMatch(
      new RegExp(`2024-03-02 05:00 .* binance +${runId.slice(0, 8)} +close `),
    )
    expect(damaged('revisions of another day').stdout).toBe(
      'No stored 1h candle of bitcoin was changed by its source.\n',
    )
  })
})

describe('a row in quarantine', () => {
  test('is listed and shown as it came', ({ kept, damaged }) => {
    expect(kept).toMatchObject({
      source: 'binance',
      market: 'ETHUSDT',
      openTime: '2024-03-01T05:00:00.000Z',
      timesSeen: 1,
      resolved: null,
    })
    expect(kept.lastSeenAt).toBe(kept.quarantinedAt)
    expect(damaged('list').stdout).toMatch(/^id +last seen +count +market .*\breason$/m)
    expect(damaged('list').stdout).toMatch(
      new RegExp(`^${kept.id.slice(0, 8)} .* binance:ETHUSDT +1h +2024-03-01 05:00 +open `, 'm'),
    )
    expect(damaged('list of nothing').stdout).toBe('No rows match.\n')
    expect(damaged('show').stdout).toContain(`raw        ${kept.raw}`)
    expect(damaged('show').stdout).toMatch(/^seen +once, at \d{4}-/m)
    expect(damaged('show of nothing').code).toBe(2)
  })

  test('that is discarded counts as absent, and is no difference', ({ kept, damaged }) => {
    expect(jsonOf(damaged('discard'))).toEqual({ discarded: [kept.id], resolvedBefore: [] })
    expect(jsonOf(damaged('list after'))).toEqual({ total: 0, rows: [] })
    expect(damaged('list of settled').stdout).toMatch(
      new RegExp(`^${kept.id.slice(0, 8)} .* discarded `, 'm'),
    )
    expect(oneOf(damaged('certificate with a discarded one'))).toMatchObject({
      stored: 167,
      absent: { discarded: 1 },
      refused: 0,
      missing: 0,
    })
    expect(damaged('verify with a discarded one')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^discarded +1 /m),
    })
  })

  test('is asked for again by its id, and settled when it loads', ({ damaged }) => {
    expect(jsonOf(damaged('retry'))).toEqual({
      loaded: 1,
      withdrawn: 0,
      open: 0,
      requests: 1,
      leftAlone: [],
    })
    expect(oneOf(damaged('certificate after the retry'))).toMatchObject({
      stored: 168,
      absent: {},
      runs: { count: 2 },
    })
    expect(damaged('retry of nothing').code).toBe(2)
  })
})
