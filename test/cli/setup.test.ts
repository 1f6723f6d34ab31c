import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { Releases } from '../../src/runtime/release.ts'
import { createEmptyDatabase } from '../support/database.ts'
import { openFolder, openSite, type Site } from './support/site.ts'

const program = fileURLToPath(new URL('../../dist/beacon.js', import.meta.url))

/** Runs a command in a folder, without a terminal. */
async function runIn(
  folder: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
) {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text) => {
    stdout += text
  })
  child.stderr.on('data', (text) => {
    stderr += text
  })
  const [code] = await once(child, 'close')
  return { code, stdout, stderr }
}

async function aFolder(releases: Releases): Promise<string> {
  const folder = join(await openFolder(releases), 'project')
  await mkdir(join(folder, 'below'), { recursive: true })
  return folder
}

describe.concurrent('init', () => {
  test('creates files that every command in the folder and below it reads', async () => {
    await using site = await openSite()
    const releases = new Releases()
    const folder = await aFolder(releases)
    try {
      const flags = ['--top', '2', '--timeframe', '1h,1d', '--keep', '1h=5d']
      const made = await runIn(folder, ['init', '--database-url', site.database.url, ...flags])
      expect(made).toMatchObject({
        code: 0,
        stderr: '',
        stdout: expect.stringMatching(/Next: beacon start\n$/),
      })
      expect((await stat(join(folder, '.env'))).mode & 0o777).toBe(0o600)
      const config = await readFile(join(folder, 'beacon.yaml'), 'utf8')
      expect(config).toMatch(/^track:\n {2}- bitcoin\n {2}- ethereum$/m)
      expect(config).toMatch(/^ {2}1m: off\n {2}5m: off\n {2}1h: \{ history: 5 days, keep: 5 days \}$/m)
      const below = join(folder, 'below')
      const { stdout } = await runIn(below, ['coins', 'list', '--json'])
      expect(JSON.parse(stdout).coins.map(({ id }: { id: string }) => id)).toEqual(['bitcoin', 'ethereum'])
      expect(await runIn(below, ['coverage', '--timeframe', '1m'])).toMatchObject({
        code: 2,
        stderr: 'error: timeframe "1m" is not configured. Configured timeframes: 1h, 1d\n',
      })
      // A variable that is set counts before the file.
      const other = await runIn(below, ['url'], { DATABASE_URL: 'postgresql://other:secret@elsewhere/x' })
      expect(other.stdout).toBe('postgresql://other:***@elsewhere/x\n')

      const again = await runIn(folder, ['init'])
      expect(again).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/beacon\.yaml exists, and init overwrites nothing/),
      })
      expect(await readFile(join(folder, 'beacon.yaml'), 'utf8')).toBe(config)
    } finally {
      await releases.release()
    }
  })

  test('creates nothing where a choice is wrong or a server does not answer', async () => {
    const releases = new Releases()
    const folder = await aFolder(releases)
    const wrong: readonly (readonly [readonly string[], RegExp])[] = [
      [['--top', '99'], /--top 99 is not a whole number from 1 to 30/],
      [['--timeframe', '7m'], /timeframe "7m" is not configured/],
      [['--keep', '1h=long'], /--keep 1h=long is not a time: write for example 1h="30 days"/],
      [['--timeframe', '1h', '--keep', '1m=5d'], /--keep names "1m", which is not chosen/],
      [['--database-url', 'mysql://x/y'], /DATABASE_URL/],
      [['--database-url', 'postgresql://a:b@127.0.0.1:1/x'], /PostgreSQL does not answer at 127\.0\.0\.1:1/],
      [['--redis-url', 'redis://127.0.0.1:1'], /Redis does not answer/],
    ]
    for (const [flags, message] of wrong) {
      const { code, stderr } = await runIn(folder, ['init', ...flags])
      expect([code === 0, stderr], flags.join(' ')).toEqual([false, expect.stringMatching(message)])
      expect(stderr).not.toContain(':b@')
    }
    expect(await readdir(folder)).toEqual(['below'])
    await releases.release()
  })
})

describe.concurrent('a command that only reads', () => {
  const reading = [
    'candles bitcoin --timeframe 1h',
    'prices',
    'coverage',
    'gaps',
    'coins list',
    'export bitcoin --out -',
    'certificate bitcoin --timeframe 1h --from -1d',
    'archive list',
    'partitions list',
    'quarantine list',
    'status',
    'doctor',
    'queues',
    'migrate status',
    'url',
  ]

  test('creates no embedded database', async () => {
    const releases = new Releases()
    const folder = await aFolder(releases)
    for (const line of [...reading, 'sql select']) {
      const { code, stdout, stderr } = await runIn(folder, line.split(' '))
      expect([code, stdout + stderr], line).toEqual([
        1,
        expect.stringMatching(/here is no database in .*project\/\.beacon\. Create it with: beacon start/),
      ])
    }
    expect(await readdir(folder)).toEqual(['below'])
    await releases.release()
  })

  test('creates no tables in a database that has none of ours', async () => {
    await using site = await openSite()
    const empty = await createEmptyDatabase()
    const variables = { DATABASE_URL: empty.url }
    const lines = reading.filter((line) => !['doctor', 'migrate status', 'url'].includes(line))
    const ends = await site.runLines(lines.map((line) => ({ line, variables })))
    for (const [place, { code, stderr }] of ends.entries())
      expect([code, stderr], lines[place]).toEqual([
        1,
        expect.stringMatching(
          /the database has no tables of Beacon Ingest\. Create them with: beacon migrate up/,
        ),
      ])
    const { rows } = await empty.pool.query(
      `select relname from pg_class where relnamespace = 'public'::regnamespace`,
    )
    expect(rows).toEqual([])
    await empty.drop()
  })
})

describe.concurrent('sql', () => {
  const sql = (site: Site, ...args: readonly string[]) => site.runLines([{ args: ['sql', ...args] }])

  test('prints the rows of a statement as a table, CSV or JSON', async () => {
    await using site = await openSite()
    const statement = `select 'a,b' as text, 1.500::numeric as number, null as nothing`
    const [asTable] = await sql(site, statement)
    expect(asTable?.stdout.split('\n')[1]).toMatch(/^a,b +1\.500/)
    const [csv] = await sql(site, statement, '--csv')
    expect(csv).toMatchObject({ code: 0, stdout: 'text,number,nothing\n"a,b",1.500,\n', stderr: '' })
    const [json] = await sql(site, statement, '--json')
    expect(JSON.parse(json?.stdout ?? '')).toEqual({
      command: 'SELECT',
      count: 1,
      columns: ['text', 'number', 'nothing'],
      rows: [['a,b', '1.500', null]],
    })
  })

  test('changes nothing without --write, however the statement is made', async () => {
    await using site = await openSite()
    await site.database.pool.query(
      `insert into coins (id, symbol, name, created_at, updated_at) values ('x', 'X', 'before', now(), now())`,
    )
    const change = `update coins set name = 'after'`
    const refused = [
      change,
      `commit; ${change}`,
      `do $$ begin commit; ${change}; end $$`,
      `do $$ begin perform set_config('transaction_read_only', 'off', false); ${change}; end $$`,
      `do $$ begin set transaction read write; ${change}; end $$`,
      'set transaction read write',
      'create temporary table t (n integer)',
    ]
    for (const statement of refused)
      expect(await sql(site, statement), statement).toMatchObject([{ code: 2 }])
    const nameOf = async () => (await site.database.pool.query('select name from coins')).rows[0]?.name
    expect(await nameOf()).toBe('before')
    const [hint] = await sql(site, change)
    expect(hint?.stderr).toMatch(/read-only transaction: add --write to change data/)
    expect(await sql(site, change, '--write')).toMatchObject([{ code: 0, stderr: 'UPDATE: 1 row.\n' }])
    expect(await nameOf()).toBe('after')
  })

  test('without psql, names what to do', async () => {
    await using site = await openSite()
    const { code, stderr } = await site.run('sql', { PATH: site.folder })
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(
        /^error: psql is not installed: install the client of PostgreSQL, or run one statement/,
      ),
    })
  })
})

test.concurrent('url hides the password until it is asked for', async () => {
  await using site = await openSite()
  const [hidden, shown, json] = await site.runLines(['url', 'url --password', 'url --json'])
  const { password } = new URL(site.database.url)
  expect(shown?.stdout).toBe(`${site.database.url}\n`)
  expect(hidden?.stdout).toBe(`${site.database.url.replace(`:${password}@`, ':***@')}\n`)
  expect(JSON.parse(json?.stdout ?? '')).toEqual({ url: hidden?.stdout.trim(), embedded: false })
})
