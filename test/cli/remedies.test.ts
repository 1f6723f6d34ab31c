import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { wholeProgram } from '../../src/cli.ts'
import { filesBelow, readText } from '../ground/project.ts'
import type { EndedLine } from './support/line-runner.ts'
import { openSite, type Site } from './support/site.ts'

/** Every command that a text of the program names, as its words up to the end of the phrase. */
const namedIn = (text: string): string[][] =>
  [...text.matchAll(/\bbeacon ((?:[a-z]|--)[^`'"\\\n]*)/g)].map(([, rest = '']) => {
    const words = rest.split(/\s+/)
    const end = words.findIndex((word) => /[.;:,)]$/.test(word))
    return (end === -1 ? words : words.slice(0, end + 1)).map((word) => word.replace(/[.;:,)]+$/, ''))
  })

/** What of a named command does not exist; undefined where all of it does. */
function unknownOf(program: Command, words: readonly string[]): string | undefined {
  const [first = '', second = ''] = words
  if (first.startsWith('-') || !/^[a-z]+$/.test(first)) return undefined
  const command = program.commands.find((one) => one.name() === first)
  if (!command) return first
  const sub = command.commands.find((one) => one.name() === second)
  const hasOnlySubcommands = command.commands.length > 0 && command.registeredArguments.length === 0
  if (hasOnlySubcommands && !sub && /^[a-z]+$/.test(second) && command.name() !== 'queues')
    return `${first} ${second}`
  const options = new Set([...command.options, ...(sub?.options ?? [])].map(({ long }) => long))
  return words.find((word) => /^--[a-z]/.test(word) && word !== '--help' && !options.has(word))
}

/** Names of programs and lines of prose that begin like a command. */
const isProse = (words: readonly string[]): boolean =>
  [
    'help',
    'queue',
    'schedule',
    'daemon',
    'command',
    'presence',
    'knows',
    'or',
    'in',
    'is',
    'and',
    'installed',
    'by',
  ].includes(words[0] ?? '')

test('every command that a message of the program names exists, with its options', async () => {
  const program = await wholeProgram()
  const files = [...filesBelow(['src', 'jobs'], '.ts'), ...filesBelow(['src/web/assets'], '.js')]
  const named = files.flatMap((file) => namedIn(readText(file)).map((words) => ({ file, words })))
  expect(named.length).toBeGreaterThan(60)
  const wrong = named
    .filter(({ words }) => !isProse(words))
    .flatMap(({ file, words }) => {
      const unknown = unknownOf(program, words)
      return unknown === undefined ? [] : [`${file}: beacon ${words.join(' ')} (${unknown})`]
    })
  expect(wrong).toEqual([])
})

/** The commands that an answer says help, ready to be run. */
const remediesIn = ({ stdout, stderr }: EndedLine): string[] =>
  [...`${stdout}\n${stderr}`.matchAll(/: +(?:npx )?beacon ([^\n]+)$/gm)].map(([, line = '']) => line.trim())

async function runOne(site: Site, line: string): Promise<EndedLine> {
  const [end] = await site.runLines([line])
  if (!end) throw new Error(`${line} did not end`)
  return end
}

/** Runs the one command that an answer names. */
async function follow(site: Site, answer: EndedLine): Promise<EndedLine & { line: string }> {
  const [line, ...others] = [...new Set(remediesIn(answer))]
  if (line === undefined || others.length > 0) throw new Error(`not one remedy: ${JSON.stringify(answer)}`)
  return { ...(await runOne(site, line)), line }
}

const day = '--timeframe 1h --from 2024-03-01 --to 2024-03-02'

describe('a command that a message names helps when it is run', () => {
  const patient = { timeout: 150_000 }

  test.concurrent('with rejected candles, differences and a copy to compare', patient, async () => {
    await using site = await openSite({ config: 'track: [bitcoin, ethereum]\n' })
    site.exchange.setFaults([
      { path: '/api/v3/klines', when: { nth: 1 }, fault: { name: 'high-below-low', row: 5 } },
    ])
    const rejected = await runOne(site, `backfill bitcoin ${day} --force --no-archive`)
    expect(rejected.code).toBe(1)
    const listed = await follow(site, rejected)
    expect(listed).toMatchObject({ code: 0, line: expect.stringContaining('quarantine list --coin bitcoin') })
    expect(listed.stdout).toMatch(/2024-03-01 05:00 +open/)

    const partly = await runOne(site, 'certificate BTC --timeframe 60m --from 2024-02-29 --to 2024-03-02')
    const [inspect = '', gaps = ''] = remediesIn(partly)
    expect((await runOne(site, inspect)).stdout).toMatch(/2024-03-01 05:00 +open/)
    expect((await runOne(site, gaps)).stdout).toMatch(
      /2024-02-29 00:00 +2024-03-01 00:00 +24 +past retention/,
    )

    await site.database.pool.query(
      "update ohlcv_data set volume = volume + 1 where coin_id = 'bitcoin' and timestamp = '2024-03-01 03:00'",
    )
    site.exchange.setFaults([])
    const differs = await runOne(site, `verify bitcoin ${day}`)
    expect(differs.stderr).toMatch(
      /2 candles of bitcoin 1h differ from the source\. Store the source's values/,
    )
    expect(await follow(site, differs)).toMatchObject({ code: 0 })
    expect(await runOne(site, `verify bitcoin ${day}`)).toMatchObject({ code: 0 })
  })

  test.concurrent(
    'with a coin that is not tracked, data past its retention and an empty table',
    patient,
    async () => {
      await using site = await openSite({ config: 'track: [bitcoin, dogecoin]\n' })
      await runOne(site, 'coins remove dogecoin')
      const untracked = await runOne(site, 'backfill DOGE --timeframe 1h --from -2d --dry-run')
      expect(untracked.stderr).toContain('dogecoin (DOGE) is not tracked')
      expect(await follow(site, untracked)).toMatchObject({ code: 0, line: 'coins add dogecoin' })
      expect(await runOne(site, 'backfill doge --timeframe 24h --from -3d --dry-run')).toMatchObject({
        code: 0,
      })

      const empty = await runOne(site, 'candles dogecoin --timeframe 1H')
      expect(await follow(site, empty)).toMatchObject({ code: 0 })
      expect((await runOne(site, 'candles dogecoin --timeframe 1H')).stdout).toMatch(/^open time/)

      const past = await runOne(site, `backfill bitcoin ${day} --no-archive`)
      expect(past.stderr).toContain('retention would delete 24 of these candles')
      const loaded = await follow(site, past)
      expect(loaded).toMatchObject({ code: 0, line: expect.stringMatching(/ --force$/) })
      expect(loaded.stdout).toContain('24 new')
    },
  )

  test.concurrent('with a market that its source does not know', patient, async () => {
    await using site = await openSite({ config: 'track: [bitcoin, solana]\n' })
    for (const line of [`backfill solana ${day} --force --no-archive`, `gaps SOL ${day} --repair --force`]) {
      const unknown = await runOne(site, line)
      expect(unknown.code).toBe(1)
      const checked = await follow(site, unknown)
      expect(checked).toMatchObject({ code: 0, line: 'coins sync' })
      expect(checked.stderr).toMatch(/binance:SOLUSDT \(solana\) is not in the listing/)
    }
  })
})
