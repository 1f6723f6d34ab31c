import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { wholeProgram } from '../../src/cli.ts'
import { openSite } from './support/site.ts'

const backfill = ['backfill', 'bitcoin', '--timeframe', '1h']
const verify = ['verify', 'bitcoin', '--timeframe', '1h']
const certificate = ['certificate', 'bitcoin', '--timeframe', '1h']
const candles = ['candles', 'bitcoin', '--timeframe', '1h']
const add = ['coins', 'add', 'x', '--market', 'binance:BTCUSDT']
const long = 'x'.repeat(101)

type Case = readonly [args: readonly string[], message: RegExp]

/** Nonsense for each argument and each option that takes a value, and for those that cannot go together. */
const cases: readonly Case[] = [
  [['start', 'now'], /too many arguments/],
  [['start', '--roles', ''], /--roles "" is unknown/],
  [['start', '--roles', 'worker,,web'], /--roles "" is unknown/],
  [['start', '--roles', 'wrker'], /"wrker" is unknown\. Did you mean "worker"\?/],
  [['demo', 'twice'], /too many arguments/],
  [['replay', '--source'], /argument missing/],
  [['replay', '--source', 'binanse'], /Did you mean "binance"/],
  [['replay', '--port', '0'], /--port 0 is not a whole number from 1/],
  [['replay', '--port', '65530'], /--port 65530 is not a whole number from 1/],
  [['replay', '--port', '1e3'], /--port 1e3 is not a whole number from 1/],
  [['replay', '--limits', 'reel'], /--limits reel is unknown/],
  [['replay', '--fault', 'htlm'], /Did you mean "html"/],
  [['replay', '--fault-every', '3'], /--fault-every .* add --fault/],
  [['replay', '--fault', 'html', '--fault-every', '0'], /--fault-every 0 is not a whole number from 1/],

  [['backfill', ''], /--timeframe is missing: add one, such as --timeframe 1h/],
  ...['backfill', 'verify', 'certificate'].map(
    (command): Case => [
      [command, 'bitcoin', '--all', '--timeframe', '1h', '--from', '-3d'],
      /--all selects every tracked coin/,
    ],
  ),
  ...['gaps', 'coverage', 'prices'].map(
    (command): Case => [[command, 'bitcoin', '--all'], /--all selects every tracked coin/],
  ),
  [['coverage', '--timeframe', '45m'], /"45m" is not configured\. Configured timeframes: 1m/],
  [['backfill', '', '--timeframe', '1h', '--from', '-3d'], /no coin ""/],
  [['backfill', 'bitcoim', '--timeframe', '1h', '--from', '-3d'], /Did you mean "bitcoin"/],
  [
    ['backfill', 'bitcoin', '--timeframe', '', '--from', '-3d'],
    /timeframe "" is not configured\. Configured/,
  ],
  [['backfill', 'bitcoin', '--timeframe', '1h,', '--from', '-3d'], /timeframe "" is not configured/],
  [['backfill', 'bitcoin', '--timeframe', '4h', '--from', '-3d'], /"4h" is not configured.*1m, 5m, 1h, 1d/],
  [[...backfill, '--from', ''], /--from {2}is not a date/],
  [[...backfill, '--from', '2024-13-01'], /is not a date/],
  [[...backfill, '--from', '2024-02-30'], /--from 2024-02-30 is not a date; write 2024-03-01/],
  [[...backfill, '--from', '2100-01-01', '--to', '2100-01-02'], /lies in the future/],
  [[...backfill, '--from', '1969-12-31'], /before 1970/],
  [[...backfill, '--from', '0001-01-01'], /before 1970/],
  [[...backfill, '--from', '-99999w'], /before 1970/],
  [[...backfill, '--from', '-3d', '--to', '-3d'], /is not before/],
  [[...backfill, '--from', '-3d', '--to', '-4d'], /is not before/],
  [[...backfill, '--from', 'now'], /is not before|lies in the future/],
  [[...backfill, '--from', '-3d', '--source', ''], /no source of candles ""/],
  [[...backfill, '--from', '-3d', '--source', 'krakn'], /Did you mean "kraken"/],
  [[...backfill, '--from', '-3d', '--source', 'coingecko'], /no source of candles "coingecko"/],
  [[...backfill, '--from', '-3d', '--source', 'ccxt:no such'], /no source of candles/],
  [[...backfill, '--from', '-3d', '--source', 'binance-archive', '--no-archive'], /leave one out/],
  [
    [...backfill, '--from', '-3d', '--dry-run', '--detach'],
    /'--detach'.*'--dry-run'|'--dry-run'.*'--detach'/,
  ],

  [['gaps', ''], /no coin ""/],
  [['gaps', 'bitcoim'], /Did you mean "bitcoin"/],
  [['gaps', '--timeframe', '7m'], /"7m" is not configured\. Configured timeframes: 1m/],
  [['gaps', '--from', 'never'], /--from never is not a date/],
  [['gaps', '--to', '-1d'], /--to needs a --from/],
  [['gaps', '--from', '-1d', '--to', '-2d'], /is not before/],
  [['gaps', 'bitcoim', '--repair'], /Did you mean "bitcoin"/],
  [['coverage', ''], /no coin ""/],
  [['coverage', 'bitcoim'], /Did you mean "bitcoin"/],
  [['prices', 'bitcoim'], /Did you mean "bitcoin"/],

  [['verify', 'bitcoim', '--timeframe', '1h', '--from', '-3d'], /Did you mean "bitcoin"/],
  [['candles', 'bitcoin', '--timeframe', '1m,1h'], /names several: write one, such as --timeframe 1m/],
  [[...verify, '--from', '-0d'], /is not before|lies in the future/],
  [[...verify, '--from', '-3d', '--to', '-5d'], /is not before/],
  [[...verify, '--from', '-3d', '--source', 'nope'], /no source of candles "nope"/],
  ...['0', '-1', '1e9', '1.5', 'ten', ''].map(
    (count): Case => [
      [...verify, '--from', '-3d', '--sample', count],
      /--sample .* is not a whole number from 1/,
    ],
  ),
  [[...verify, '--from', '-3d', '--seed', 'abc'], /--seed .* add --sample/],
  [[...verify.slice(0, 1), 'bitcoim', '--timeframe', '1h', '--from', '-3d', '--repair'], /Did you mean/],
  [['certificate', 'bitcoim', '--timeframe', '1h', '--from', '-3d'], /Did you mean "bitcoin"/],
  [['certificate', 'bitcoin', '--timeframe', '7m', '--from', '-3d'], /"7m" is not configured/],
  [[...certificate, '--from', '2100-01-01', '--to', '2100-01-02'], /lies in the future/],
  [[...certificate, '--from', '-3d', '--to', 'tomorrow'], /--to tomorrow is not a date/],
  [[...certificate, '--from', '-3d', '--sql', '--json'], /cannot be used with/],

  [
    ['quarantine', 'list', '--coin', 'nope'],
    /there is no coin "nope"\..* List the tracked coins with: beacon coins list/,
  ],
  [['quarantine', 'list', '--coin', 'bitcoim'], /Did you mean "bitcoin"/],
  [['quarantine', 'list', '--source', 'nope'], /there is no source "nope"\. Known names: binance, /],
  [['quarantine', 'list', '--source', 'binanse'], /Did you mean "binance"/],
  [['quarantine', 'list', '--timeframe', '7m'], /there is no timeframe "7m"\. Did you mean "1m"/],
  [['quarantine', 'list', '--reason', ''], /--reason is empty/],
  [['quarantine', 'list', '--from', 'never'], /--from never is not a date/],
  [['quarantine', 'list', '--from', '-1d', '--to', '-2d'], /--from -1d is not before --to -2d/],
  [['quarantine', 'list', '--to', '1970-01-01'], /--from 1970-01-01 is not before --to 1970-01-01/],
  [['quarantine', 'list', '--from', '2100-01-01', '--to', '2100-01-02'], /lies in the future/],
  [['quarantine', 'list', '--limit', '0'], /--limit 0 is not a whole number from 1/],
  [['quarantine', 'list', '--limit', '1000000'], /--limit 1000000 is not a whole number/],
  [['quarantine', 'show', ''], /no row in quarantine/],
  [['quarantine', 'show', 'nope'], /no row in quarantine.*beacon quarantine list/],
  [['quarantine', 'show', '%%%%'], /no row in quarantine/],
  [['quarantine', 'retry'], /name rows by their ids, or select all unresolved ones/],
  [['quarantine', 'retry', '0000dead', '--all'], /name rows by their ids/],
  [['quarantine', 'retry', '0000dead', '--coin', 'bitcoin'], /select among --all/],
  [['quarantine', 'retry', '0000dead', '--reason', 'high'], /select among --all/],
  [['quarantine', 'retry', '0000dead'], /no row in quarantine/],
  [['quarantine', 'retry', '--all', '--coin', 'nope'], /there is no coin "nope"/],
  [['quarantine', 'retry', '--all', '--source', 'nope'], /there is no source "nope"/],
  [['quarantine', 'retry', '--all', '--timeframe', '7m'], /there is no timeframe "7m"/],
  [['quarantine', 'accept'], /missing required argument/],
  [['quarantine', 'accept', ''], /no row in quarantine/],
  [['quarantine', 'accept', '0000dead', '--why', ' '], /--why is empty/],
  [['quarantine', 'accept', '0000dead', '--by', ''], /--by is empty/],
  [['quarantine', 'discard', '0000dead', '--reason', ' '], /--reason is empty/],
  [['quarantine', 'discard', '0000dead', '--reason', 'why', '--by', ''], /--by is empty/],
  [['quarantine', 'discard', '0000dead', '--reason', 'why'], /no row in quarantine/],

  [['candles', 'bitcoim', '--timeframe', '1h'], /Did you mean "bitcoin"/],
  [['candles', 'bitcoin', '--timeframe', 'hourly'], /"hourly" is not configured/],
  ...['0', '-1', '1e9', '0x10', ' ', '1000000000'].map(
    (count): Case => [[...candles, '--last', count], /--last .* is not a whole number from 1/],
  ),
  [[...candles, '--from', '-1d', '--to', '-2d'], /--from -1d is not before --to -2d/],
  [[...candles, '--from', '2100-01-01'], /lies in the future/],
  [[...candles, '--plot', '--json'], /cannot be used with/],
  [[...candles, '--plot', '--revisions'], /cannot be used with/],

  [['coins', 'add', ''], /is not a coin id/],
  [['coins', 'add'], /no coin is named: add one, such as bitcoin/],
  [['coins', 'add', '--top', '0'], /--top 0 is not a whole number from 1 to 1000/],
  [['coins', 'add', 'bitcoin', '--top', '3'], /--top names the coins already/],
  [['coins', 'add', '--top', '3', '--since', '2024-01-01'], /--since is of one coin/],
  [['coins', 'add', 'bitcoin', '--quote', 'USDT,'], /--quote "" is not an asset such as USDT/],
  [['coins', 'add', 'Bitcoin!'], /is not a coin id/],
  [['coins', 'add', 'x', '--market', ''], /is not SOURCE:SYMBOL/],
  [['coins', 'add', 'x', '--market', 'binanse:BTCUSDT'], /the sources are binance/],
  [['coins', 'add', 'x', '--market', 'BTCUSDT'], /not SOURCE:SYMBOL such as binance:BTCUSDT/],
  [['coins', 'add', 'x', '--market', `binance:${'B'.repeat(51)}`], /has more than 50 characters/],
  [['coins', 'add', 'x', '--market', 'binance-archive:BTCUSDT'], /follow --market binance:BTCUSDT/],
  [['coins', 'add', 'x'], /ticker of x is not known here: add --symbol TICKER/],
  [['coins', 'add', 'x', '--symbol', 'X', '--source', 'nope'], /no source of candles "nope"/],
  [[...add, '--source', 'okx'], /leave --source out/],
  [[...add, '--symbol', ''], /--symbol is empty/],
  [[...add, '--symbol', long], /--symbol has more than 20 characters/],
  [[...add, '--since', ''], /--since {2}is not a date/],
  [[...add, '--since', '2024-02-30'], /--since 2024-02-30 is not a date/],
  [[...add, '--since', '1969-12-31'], /before 1970/],
  [[...add, '--since', '2100-01-01'], /lies in the future/],
  [[...add, '--name', ''], /--name is empty/],
  [[...add, '--name', long], /--name has more than 100 characters/],
  [['coins', 'remove', 'bitcoim'], /Did you mean "bitcoin"/],
  [['coins', 'list', 'bitcoin'], /too many arguments/],
  [['coins', 'sync', 'bitcoin'], /too many arguments/],

  [['migrate', 'down', '--to', 'nope'], /0001_market_data/],
  [['migrate', 'down', '--to', '99'], /0001_market_data/],
  [['migrate', 'up', '--to', '3'], /unknown option '--to'/],
  [['migrate', 'status', 'x'], /too many arguments/],
  [['migrate', 'verify', 'x'], /too many arguments/],
  [['partitions', 'list', 'ohlcv_data_1m'], /too many arguments/],
  [['partitions', 'ensure', 'ohlcv_data_1m'], /too many arguments/],
  [['views', 'list', 'x'], /too many arguments/],
  [
    ['views', 'refresh', 'daily_price_sumary'],
    /no view "daily_price_sumary"\. Did you mean "daily_price_summary"/,
  ],
  [['retention', 'ohlcv_data_1m'], /too many arguments/],
  [['retention', '--dryrun'], /unknown option '--dryrun'/],
  [['retention', '--no-yes'], /unknown option '--no-yes'/],
  [['archive', 'list', 'x'], /too many arguments/],
  [['archive', 'verify', 'nope'], /there is no archive "nope": beacon archive list/],
  [['archive', 'verify', ''], /there is no archive ""/],
  [['archive', 'restore', 'abc'], /there is no archive "abc"/],
  [['archive', 'restore', 'abc', '--into', 'Users'], /there is no archive "abc"/],
  [['archive', 'query', ' '], /the query is empty/],
  [['archive', 'adopt', 'all'], /too many arguments/],
  [['archive', 'check', 'bitcoim'], /there are no candles of bitcoim/],
  [['archive', 'check', 'bitcoim', '--accept'], /there are no candles of bitcoim/],
  [['keys', 'generate', '--id', ''], /--id is not 1 to 16/],
  [['keys', 'generate', '--id', 'Key_1'], /--id is not 1 to 16/],
  [['keys', 'rotate', 'now'], /too many arguments/],
  [['keys', 'rotate', '--dry'], /unknown option '--dry'/],
  [['status', 'binance'], /too many arguments/],
  [['doctor', 'partitions'], /too many arguments/],
  [['doctor', '--repair'], /--repair needs --deep/],
  [['doctor', '--deeep'], /unknown option '--deeep'/],
  [['queues', 'pause'], /missing required argument/],
  [['queues', 'pause', ''], /no queue ""/],
  [['queues', 'pause', 'binanse'], /Did you mean "binance"/],
  [['queues', 'resume', 'maintenanc'], /Did you mean "maintenance"/],

  [['init', 'now'], /too many arguments/],
  [['init', '--database-url', 'mysql://x/y'], /DATABASE_URL/],
  [['init', '--redis-url', 'nope'], /REDIS_URL/],
  [['init', '--top', '0'], /--top 0 is not a whole number from 1 to 30/],
  [['init', '--timeframe', '7m'], /"7m" is not configured/],
  [['init', '--keep', '1h'], /--keep 1h= is not a time/],
  [['init', '--keep', '4h=5d'], /--keep names "4h", which is not chosen/],
  [['init', '--keep', '1h=0 days'], /--keep 1h=0 days is not a time/],
  [['sql', ' '], /the statement is empty/],
  [['sql', 'select 1', 'select 2'], /too many arguments/],
  [['sql', 'select 1', '--csv', '--json'], /cannot be used with/],
  [['sql', '--csv'], /name one/],
  [['url', 'postgres'], /too many arguments/],

  [['export', '--out', 'x.csv'], /no coin is named/],
  [['export', 'bitcoin'], /--out is missing/],
  [['export', 'bitcoin', '--out', ''], /--out is empty/],
  [['export', 'bitcoin', '--all', '--out', 'x.csv'], /--all selects every tracked coin/],
  [['export', 'bitcoim', '--out', 'x.csv'], /Did you mean "bitcoin"/],
  [['export', 'bitcoin', '--table', 'trades', '--out', 'x.csv'], /Allowed choices are candles, prices/],
  [['export', 'bitcoin', '--timeframe', '7m', '--out', 'x.csv'], /"7m" is not configured/],
  [['export', 'bitcoin', '--from', 'never', '--out', 'x.csv'], /--from never is not a date/],
  [['export', 'bitcoin', '--from', '-1d', '--to', '-2d', '--out', 'x.csv'], /is not before/],
  [['export', 'bitcoin', '--format', 'xls', '--out', 'x.csv'], /Allowed choices are csv, parquet/],
  [['export', 'bitcoin', '--format', 'json', '--out', 'x.json'], /--format json does not exist without/],
  [['export', 'bitcoin', '--layout', 'flat', '--out', 'x'], /Allowed choices are file, series/],
  [['export', 'bitcoin', '--layout', 'hive', '--out', '-'], /--layout hive needs a folder/],
  [['export', 'bitcoin', '--gaps', 'hide', '--out', 'x.csv'], /Allowed choices are leave, mark, fill/],
  [['export', 'bitcoin', '--table', 'prices', '--gaps', 'fill', '--out', 'x.csv'], /--gaps concerns candles/],
  [['import'], /missing required argument/],
  [['import', 'gone.csv'], /there is no file gone\.csv/],
  [['import', 'package.json', '--coin', 'bitcoim'], /Did you mean "bitcoin"/],
  [['import', 'package.json', '--timeframe', '7m'], /"7m" is not configured/],
  [
    ['import', 'package.json', '--coin', 'btc', '--timeframe', '1h', '--source', 'nope'],
    /no source of candles "nope"/,
  ],
  [['import', 'package.json', '--columns', 'time'], /--columns time is not a list of FIELD=COLUMN/],
  [['import', 'README.md'], /README\.md has no known format/],
  [['completion', 'tcsh'], /Allowed choices are bash, zsh, fish/],
]

/** Switches with which no nonsense can be said: they stand alone, and with anything else. */
const harmless = new Set([
  ...['--json', '--help', '--force', '--resolved', '--dry-run', '--yes', '--deep'],
  ...['--replace', '--write', '--password'],
])

/** Each command that does something, with its path and its options. */
function* commandsOf(command: Command, path: readonly string[] = []): Generator<[string[], Command]> {
  const children = command.commands.filter((child) => child.name() !== 'help' && child.name() !== 'words')
  if (path.length > 0 && (children.length === 0 || command.registeredArguments.length > 0))
    yield [[...path], command]
  for (const child of children) yield* commandsOf(child, [...path, child.name()])
}

test('nonsense is tried with every command, and with every option of it', async () => {
  const untried: string[] = []
  for (const [path, command] of commandsOf(await wholeProgram())) {
    const own = cases.filter(([args]) => path.every((word, index) => args[index] === word))
    if (own.length === 0) untried.push(path.join(' '))
    const tried = new Set(own.flatMap(([args]) => args))
    for (const { long: option } of command.options)
      if (option && !harmless.has(option) && !tried.has(option)) untried.push(`${path.join(' ')} ${option}`)
  }
  expect(untried).toEqual([])
})

// More than a hundred command lines, one after another on a loaded machine.
test('it is refused with what is wrong and what there is, and nothing is done', {
  timeout: 240_000,
}, async () => {
  await using site = await openSite()
  await site.runLines(['coins list', 'queues'])
  const counts = async () =>
    (
      await site.database.pool.query(
        `select relname, n_tup_ins, n_tup_upd, n_tup_del from pg_stat_user_tables
       where schemaname = 'public' and relname not in ('schema_migrations') order by 1`,
      )
    ).rows
  const before = await counts()
  const ends = await site.runLines(cases.map(([args]) => ({ args })))
  const outcomes = ends.map(({ code, stdout, stderr }, index) => ({
    args: cases[index]?.[0],
    code,
    stdout,
    stderr,
  }))
  expect(outcomes).toEqual(
    cases.map(([args, message]) => ({ args, code: 2, stdout: '', stderr: expect.stringMatching(message) })),
  )
  for (const { stderr } of outcomes)
    expect(stderr).not.toMatch(/internal error|should not have happened|undefined/)
  expect(site.exchange.requests).toEqual([])
  expect(await counts()).toEqual(before)
})
