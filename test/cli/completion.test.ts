import { execFile } from 'node:child_process'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../src/runtime/free-port.ts'
import { Releases } from '../../src/runtime/release.ts'
import { coinId } from '../../src/settings/schema.ts'
import { sourceIds } from '../../src/settings/source-ids.ts'
import { names } from '../support/names.ts'
import { scriptFile } from '../support/scripts.ts'
import { commandsIn } from './support/beacon.ts'
import { findShells, offeredBy, type Shell, type ShellName, shellNames } from './support/shells.ts'
import { openFolder, openSite } from './support/site.ts'

const execute = promisify(execFile)
const beacon = commandsIn({})

/** What a help text lists, by what a reader sees of it: the first words of its lines. */
const listed = (help: string, form: RegExp): string[] =>
  [...help.matchAll(form)].flatMap(([, ...words]) => words.filter((word) => word !== undefined))

const commandsOf = (help = ''): string[] =>
  listed(help.split('\nCommands:\n')[1] ?? '', /^ {2}([a-z][\w-]*)/gm)
const optionsOf = (help = ''): string[] => listed(help, /^ {2}(-\w)?(?:, )?(--[\w-]+)?(?= )/gm)

const shells = await findShells()
const scripts = new Map<ShellName, string>()
let helps: readonly string[] = []

beforeAll(async () => {
  const [printed, help] = await Promise.all([
    beacon.runLines(shellNames.map((name) => `completion ${name}`)),
    execute(process.execPath, [scriptFile('ground/print-help'), '', 'archive', 'archive list', 'candles']),
  ])
  for (const [index, name] of shellNames.entries()) {
    expect(printed[index]).toMatchObject({ code: 0, stderr: '' })
    scripts.set(name, printed[index]?.stdout ?? '')
  }
  helps = help.stdout.split('\f')
}, 60_000)

/** Shells differ in the order of what they offer. */
const sorted = (words: Iterable<string> = []): string[] => [...words].toSorted()

describe.each(shells)('completion in $name', (shell) => {
  test.skipIf(shell.program === undefined)(
    'offers every command, option and value, and only what may stand there',
    async () => {
      const releases = new Releases()
      try {
        const expected: readonly (readonly [line: string, words: readonly string[]])[] = [
          ['beacon ', commandsOf(helps[0])],
          ['beacon ba', ['backfill']],
          ['beacon archive ', commandsOf(helps[1])],
          ['beacon archive list ', []],
          ['beacon archive list -', optionsOf(helps[2])],
          ['beacon candles bitcoin -', optionsOf(helps[3])],
          ['beacon candles --last 3 bitcoin --pl', ['--plot']],
          ['beacon doctor --d', ['--deep']],
          ['beacon backfill --source bitf', ['bitfinex']],
          ['beacon backfill --source=bitf', [shell.name === 'bash' ? 'bitfinex' : '--source=bitfinex']],
          ['beacon replay --source ', sourceIds],
          ['beacon gaps --source bitf', []],
          ['beacon completion ', shellNames],
          ['beacon start --roles w', ['worker', 'web']],
          ['beacon start --roles worker,we', ['worker,web']],
          ['beacon candles bitcoin --timeframe 1h --last ', []],
          ['beacon queues pause bitf', ['bitfinex']],
          ['npx beacon doc', ['doctor']],
        ]
        expect(commandsOf(helps[0]).length).toBeGreaterThan(20)
        expect(optionsOf(helps[3])).toContain('--plot')
        const offered = await offeredBy(shell, {
          folder: await openFolder(releases),
          variables: {},
          script: scripts.get(shell.name) ?? '',
          lines: expected.map(([line]) => line),
        })
        const asked = expected.map(([line], index) => [line, sorted(offered[index])])
        expect(asked).toEqual(expected.map(([line, words]) => [line, sorted(words)]))
      } finally {
        await releases.release()
      }
    },
  )

  test.skipIf(shell.program === undefined)('offers what the data has at that moment', async () => {
    await using site = await openSite({ config: 'track: [bitcoin, dogecoin]\n' })
    const { folder, variables, database } = site
    await site.runLines(['coins add frog --market binance:PEPEUSDT', 'coins remove dogecoin'])
    await database.pool.query(`
      insert into archives (id, table_name, partition_name, range_from, range_to, state, place, file_name, columns,
          created_at, row_count, bytes, sha256, checksums, verified_at, dropped_at)
        values ('7f3a0000-0000-0000-0000-000000000000', 'ohlcv_data_1h', 'ohlcv_data_1h_y2023m01', '2023-01-01',
          '2023-02-01', 'dropped', 'file:///gone/', 'x.parquet', '[]', '2024-01-01', 1, 100, repeat('0', 64), '{}',
          '2024-01-01', '2024-01-01')`)
    const script = scripts.get(shell.name) ?? ''
    const expected: readonly (readonly [line: string, words: readonly string[]])[] = [
      ['beacon coverage ', ['bitcoin', 'frog']],
      ['beacon coverage bitcoin f', ['frog']],
      ['beacon candles frog --timeframe ', ['1m', '5m', '1h', '1d']],
      ['beacon candles frog --timeframe 1h ', []],
      ['beacon backfill frog --timeframe 1m,1', ['1m,1m', '1m,1h', '1m,1d']],
      ['beacon coins add d', ['dogecoin']],
      ['beacon archive verify ', ['7f3a0000']],
      ['beacon views refresh d', ['daily_price_summary']],
      ['beacon migrate down --to 0002', ['0002_ingest']],
    ]
    const asked = { folder, variables, script, lines: expected.map(([line]) => line) }
    const offered = await offeredBy(shell, asked)
    expect(expected.map(([line], index) => [line, sorted(offered[index])])).toEqual(
      expected.map(([line, words]) => [line, sorted(words)]),
    )
  })

  test.skipIf(shell.program === undefined)(
    'offers coins of any name, and carries out nothing of what they say',
    async () => {
      await using site = await openSite({ config: 'track: [bitcoin]\n' })
      const { folder, variables, database } = site
      const ids = names.map((name) => name.toLowerCase()).filter((id) => coinId.safeParse(id).success)
      await site.runLines(['coins list'])
      for (const [index, id] of [...ids, 'a$(touch "$FOLDER/carried-out")b'].entries())
        await database.pool.query(
          `with coin as (insert into coins (id, symbol, name, created_at, updated_at) values ($1, 'X', $1, now(), now()) returning id)
           insert into instruments (coin_id, source, symbol, preference, tracked_from) select id, 'binance', $2, 0, now() from coin`,
          [id, `X${index}USDT`],
        )
      const lines = ['beacon coverage ', 'beacon coverage academy']
      const script = scripts.get(shell.name) ?? ''
      const [all = [], academy] = await offeredBy(shell, { folder, variables, script, lines })
      expect(sorted(await readBy(shell, all))).toEqual(
        sorted(['bitcoin', ...ids, 'a$(touch "$FOLDER/carried-out")b']),
      )
      expect(await readBy(shell, academy ?? [])).toEqual(['academy token'])
      await expect(access(join(folder, 'carried-out'))).rejects.toThrow('ENOENT')
    },
  )
})

/** What a shell reads from the words that it has offered. Fish alone offers them as they are, and quotes what is chosen. */
async function readBy(shell: Shell, words: readonly string[]): Promise<string[]> {
  if (shell.name === 'fish' || words.length === 0) return [...words]
  const { stdout } = await execute(shell.program ?? '', ['-c', `printf '%s\\n' ${words.join(' ')}`])
  return stdout.trimEnd().split('\n')
}

test('without a database that answers, coins of the configuration are offered, and nothing is started', async () => {
  await using site = await openSite({ config: 'track: [bitcoin, dogecoin]\n' })
  const away = { DATABASE_URL: `postgres://127.0.0.1:${await freePort(0)}/beacon` }
  const none = { DATABASE_URL: '' }
  const ends = await site.runLines([
    { line: 'completion words', variables: away },
    { line: 'completion words', variables: none },
  ])
  for (const end of ends) {
    expect(end).toMatchObject({ code: 0, stderr: '' })
    expect(end.stdout).toContain('coins bitcoin\tBitcoin\ncoins dogecoin\tDogecoin\n')
    expect(end.stdout).toContain('timeframes 1h\t\n')
  }
})

test('another shell is told which there are', async () => {
  const [other] = await beacon.runLines(['completion csh'])
  expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('bash, zsh, fish') })
})
