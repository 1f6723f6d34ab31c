import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { timeframes } from '../../src/market/timeframe.ts'
import { commandsIn } from './beacon.ts'

const execute = promisify(execFile)
const beacon = commandsIn({})
const printHelp = fileURLToPath(new URL('../ground/print-help.ts', import.meta.url))

/** What a help text lists, by what a reader sees of it: the first words of its lines. */
const listed = (help: string, form: RegExp): string[] =>
  [...help.matchAll(form)].flatMap(([, ...words]) => words.filter((word) => word !== undefined))

const commandsOf = (help = ''): string[] =>
  listed(help.split('\nCommands:\n')[1] ?? '', /^ {2}([a-z][\w-]*)/gm)
const optionsOf = (help = ''): string[] => listed(help, /^ {2}(-\w)?(?:, )?(--[\w-]+)?(?= )/gm)

describe('completion in bash', () => {
  let script = ''
  let helps: readonly string[] = []
  beforeAll(async () => {
    const [printed, help] = await Promise.all([
      beacon.run('completion bash'),
      execute(process.execPath, ['--import', 'tsx', printHelp, '', 'archive', 'archive list', 'candles']),
    ])
    expect(printed).toMatchObject({ code: 0, stderr: '' })
    script = printed.stdout
    helps = help.stdout.split('\f')
  }, 60_000)

  /** What a real bash offers where the last word stands. */
  async function offered(...words: readonly string[]): Promise<string[]> {
    const bash = spawn('bash', ['--norc', '--noprofile', '-s', '--', 'beacon', ...words])
    const answer = text(bash.stdout)
    const complaint = text(bash.stderr)
    bash.stdin.end(`set -u
source /dev/fd/3 3<<'SCRIPT'
${script}
SCRIPT
[[ $(complete -p beacon) == *_beacon* ]] || exit 3
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_beacon
printf '%s\\n' "\${COMPREPLY[@]+"\${COMPREPLY[@]}"}"`)
    const [code] = await once(bash, 'close')
    expect([code, await complaint]).toEqual([0, ''])
    return (await answer).split('\n').filter((line) => line !== '')
  }

  test('offers every command, and every command of a command', async () => {
    expect(commandsOf(helps[0]).length).toBeGreaterThan(20)
    expect(await offered('')).toEqual(commandsOf(helps[0]))
    expect(await offered('archive', '')).toEqual(commandsOf(helps[1]))
    expect(await offered('do')).toEqual(['doctor'])
  })

  test('offers every option of a command, and only its own', async () => {
    expect(optionsOf(helps[3])).toContain('--plot')
    expect((await offered('candles', 'bitcoin', '-')).toSorted()).toEqual(optionsOf(helps[3]).toSorted())
    expect((await offered('archive', 'list', '-')).toSorted()).toEqual(optionsOf(helps[2]).toSorted())
    expect(await offered('doctor', '--d')).toEqual(['--deep'])
  })

  test('offers the values of an option, and files where they are not known', async () => {
    expect(await offered('backfill', 'bitcoin', '--timeframe', '')).toEqual(timeframes)
    expect(await offered('gaps', '--source', 'bitf')).toEqual([])
    expect(await offered('backfill', '--source', 'bitf')).toEqual(['bitfinex'])
    expect(await offered('completion', '')).toEqual(['bash', 'zsh', 'fish'])
    expect(await offered('start', '--roles', '')).toEqual([])
  })
})

test('zsh and fish get every command too, and another shell a sentence', async () => {
  const [zsh, fish, other] = await beacon.runLines(['completion zsh', 'completion fish', 'completion csh'])
  expect(zsh?.stdout).toMatch(/^#compdef beacon\n/)
  expect(zsh?.stdout).toContain(`'archive list') menu=()`)
  expect(zsh?.stdout).toMatch(/'doctor:[^']+'/)
  expect(fish?.stdout).toMatch(/complete -c beacon -n '__beacon_is_at [^\n]+ -f -a 'doctor' -d '/)
  expect(fish?.stdout).toMatch(/-l deep -d '/)
  expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('bash, zsh, fish') })
})
