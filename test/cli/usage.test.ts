import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { freePort } from '../../src/runtime/free-port.ts'
import type { EndedLine } from './support/line-runner.ts'
import { openSite, type Site } from './support/site.ts'

const beacon = fileURLToPath(new URL('../../dist/beacon.js', import.meta.url))

const commands = [
  '',
  ...[
    'start',
    'demo',
    'replay',
    'backfill',
    'gaps',
    'coverage',
    'verify',
    'certificate',
    'candles',
    'prices',
  ],
  ...['status', 'doctor', 'completion', 'retention'],
  ...['quarantine', 'quarantine list', 'quarantine show', 'quarantine retry', 'quarantine discard'],
  ...['archive', 'archive list', 'archive verify', 'archive restore', 'archive query'],
  ...['coins', 'coins list', 'coins add', 'coins remove', 'coins sync'],
  ...['migrate', 'migrate up', 'migrate down', 'migrate status', 'migrate verify'],
  ...['partitions', 'partitions list', 'partitions ensure', 'views', 'views list', 'views refresh'],
  ...['queues', 'queues pause', 'queues resume'],
  ...['keys', 'keys generate', 'keys rotate'],
]

const misused: readonly (readonly [string, RegExp])[] = [
  ['frobnicate', /unknown command 'frobnicate'/],
  ['coins frobnicate', /unknown command 'frobnicate'/],
  ['queues frobnicate', /too many arguments, from "frobnicate" on/],
  ['coins', /Usage: beacon coins/],
  ['candles bitcoin', /--timeframe is missing: add one, such as --timeframe 1h\. See: beacon candles --help/],
  ['backfill --timeframe 1h --from -3d', /no coin is named.*--all/],
  ['backfill bitcoin --timeframe 1h', /--from is missing: add one, such as --from -30d/],
  ['coverage --frob', /unknown option '--frob'/],
  [
    'backfill bitcoin --timefram 1h --from -3d',
    /unknown option '--timefram'\n\(Did you mean --timeframe\?\)/,
  ],
  ['verify bitcoin --timefame 1h', /unknown option '--timefame'\n\(Did you mean --timeframe\?\)/],
  ['candles bitcoin 1h', /1h is a timeframe and no coin: write --timeframe 1h/],
  [
    'certificate bitcoin 1H --timeframe 1h --from -3d',
    /"1H" is a timeframe and no coin: write --timeframe 1h/,
  ],
]

/** Which tables there are, and how many rows each of them holds. */
async function contents({ database: { pool } }: Site): Promise<unknown[]> {
  const { rows } = await pool.query(`
    select relid::regclass::text as name,
      (xpath('/row/c/text()', query_to_xml('select count(*) as c from ' || relid::regclass, false, true, '')))[1]::text as rows
    from pg_stat_user_tables where schemaname = 'public' order by 1`)
  return rows
}

function expectEach(ends: readonly EndedLine[], wanted: readonly (readonly [string, RegExp])[]): void {
  expect(ends).toHaveLength(wanted.length)
  for (const [index, [line, message]] of wanted.entries()) {
    expect({ line, ...ends[index] }).toEqual({
      line,
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(message),
    })
  }
}

test.concurrent('every command tells how it is used', async () => {
  await using site = await openSite()
  const helps = await site.runLines(commands.map((command) => `${command} --help`))
  for (const [index, command] of commands.entries()) {
    const stdout = expect.stringContaining(`Usage: beacon ${command}`.trimEnd())
    expect(helps[index]).toEqual({ code: 0, stdout, stderr: '' })
  }
})

// Dozens of processes, one after another on a loaded machine.
const patient = { timeout: 150_000 }

test.concurrent(
  'what cannot be done is refused with its remedy: nobody is asked and nothing changes',
  patient,
  async () => {
    await using site = await openSite()
    const past = 'backfill pepe --timeframe 1h --from 2024-03-01 --to 2024-03-02'
    const fiftyYears = 'backfill bitcoin --timeframe 1m --from 1974-01-01 --to 2024-01-01 --dry-run'
    await site.runLines(['coins list', 'queues'])
    const before = await contents(site)
    const ends = await site.runLines([
      ...misused.map(([line]) => line),
      past,
      `${past} --dry-run`,
      `${past} --dry-run --json`,
      fiftyYears,
    ])
    const [expired, planned, plannedJson, long] = ends.splice(-4)
    expectEach(ends, misused)

    expect(expired).toMatchObject({ code: 2, stdout: '' })
    expect(expired?.stderr).toMatch(/error: retention would delete 24 of these [^\n]* --force[^\n]*\n$/)
    expect(planned).toMatchObject({ code: 0, stderr: '' })
    expect(planned?.stdout).toMatch(/binance:PEPEUSDT .* 24 +1 /)
    expect(planned?.stdout).toContain('ohlcv_data_1h_y2024m03')
    expect(JSON.parse(plannedJson?.stdout ?? '').plan).toMatchObject({
      candles: 24,
      requests: 1,
      expiring: 24,
      series: [{ symbol: 'PEPEUSDT', missing: [{ from: '2024-03-01T00:00:00.000Z' }] }],
    })
    expect(long).toMatchObject({ code: 0, stdout: expect.stringContaining('26,297,280 candles') })

    expect(site.exchange.requests).toEqual([])
    expect(await contents(site)).toEqual(before)
  },
)

test.concurrent('a PostgreSQL that does not answer is reported in one line without its password', async () => {
  await using site = await openSite()
  const { code, stdout, stderr } = await site.run('coverage', {
    DATABASE_URL: `postgres://beacon:hidden@127.0.0.1:${await freePort(0)}/beacon`,
  })
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(/^error: [^\n]+DATABASE_URL[^\n]*\n$/)
  expect(stderr).not.toContain('hidden')
})

test.concurrent('a Redis that is not there is told in one sentence, and by the doctor once', async () => {
  await using site = await openSite()
  const REDIS_URL = `redis://:hidden@127.0.0.1:${await freePort(0)}`
  const [status, doctor] = await site.runLines(
    ['status', 'doctor'].map((line) => ({ line, variables: { REDIS_URL } })),
  )
  expect(status).toMatchObject({ code: 1, stdout: '' })
  expect(status?.stderr).toMatch(/^error: Redis at 127\.0\.0\.1:\d+ does not answer: [^\n]*REDIS_URL\n$/)
  expect(doctor?.code).toBe(1)
  expect(doctor?.stdout.match(/error: Redis does not answer/g)).toHaveLength(1)
  expect(doctor?.stdout).toMatch(/error: No exchange was asked for its time: Redis at /)
  expect(`${status?.stderr}${doctor?.stdout}`).not.toContain('hidden')
})

test.concurrent('a door open to others without a password is refused before anything is started', async () => {
  await using site = await openSite()
  const { code, stderr } = await site.run('start', { BEACON_HTTP_HOST: '0.0.0.0' })
  expect(code).toBe(1)
  expect(stderr).toMatch(/^error: [^\n]+BEACON_HTTP_PASSWORD[^\n]*\n$/)
})

test.concurrent('mistakes in what is configured are told by file and line, or by the name of the variable', async () => {
  await using site = await openSite()
  const file = (name: string) => join(site.folder, name)
  await writeFile(file('key.yaml'), 'candles:\n  settleDelay: 3 s\n  chunks: 100\n')
  await writeFile(file('value.yaml'), '\nhttp:\n  timeout: soon\n')
  await writeFile(file('coin.yaml'), 'track: [bitcoim]\n')
  const changed = (change: (url: URL) => void) => {
    const url = new URL(site.database.url)
    change(url)
    return { DATABASE_URL: url.href }
  }
  const wrongPassword = changed((url) => {
    url.password = 'wrong'
  })
  const wrongName = changed((url) => {
    url.pathname = '/nothing'
  })
  const environments = [
    { BEACON_CONFIG: file('key.yaml') },
    { BEACON_CONFIG: file('value.yaml') },
    { BEACON_CONFIG: file('coin.yaml') },
    { BEACON_CONFIG: file('missing.yaml') },
    { DATABASE_URL: 'mysql://here', BEACON_HTTP_PORT: 'http' },
    wrongPassword,
    wrongName,
    { DATABASE_URL: '', BEACON_DATA_DIR: file('key.yaml') },
  ]
  const ends = await site.runLines(environments.map((variables) => ({ line: 'coverage', variables })))
  expect(ends.map(({ code, stdout, stderr }) => [code, stdout, stderr])).toEqual(
    [
      [2, `${file('key.yaml')}:3: there is no setting candles.chunks. Did you mean "chunk"?`],
      [2, `${file('value.yaml')}:3: http.timeout "soon" is not a duration such as "90 days" or "2 s"`],
      [2, `${file('coin.yaml')}:1: no coin "bitcoim" in the coins file. Did you mean "bitcoin"?`],
      [2, `${file('missing.yaml')}: does it exist`],
      [2, 'BEACON_HTTP_PORT is not a port number'],
      [1, 'the password in DATABASE_URL: correct it'],
      [1, 'does not exist: create it, or change its name in DATABASE_URL'],
      [1, 'a file is in its way: set BEACON_DATA_DIR to another'],
    ].map(([code, message]) => [code, '', expect.stringContaining(String(message))]),
  )
  for (const { stderr } of ends) expect(stderr).toMatch(/^error: [^\n]+\n( {2}[^\n]+\n)*$/)
})

test.concurrent('a reader may leave before the end of the answer', async () => {
  await using site = await openSite()
  const running = site.start('coins list --json')
  running.closeOutput()
  expect(await running.ended).toMatchObject({ code: 0, stderr: '' })
})

test
  .runIf(existsSync('/dev/full'))
  .concurrent('an answer that cannot be written fails with one message', async () => {
    const run = async (line: string) => {
      const shell = `"${process.execPath}" "${beacon}" ${line} > /dev/full`
      const child = spawn('sh', ['-c', shell], { stdio: ['ignore', 'ignore', 'pipe'] })
      let stderr = ''
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr += text
      })
      const [code] = await once(child, 'close')
      return { code, stderr }
    }
    const wanted = {
      code: 1,
      stderr: expect.stringMatching(/^error: the output cannot be written \(ENOSPC[^\n]*\)\n$/),
    }
    expect(await Promise.all(['--help', 'completion bash'].map(run))).toEqual([wanted, wanted])
  })
