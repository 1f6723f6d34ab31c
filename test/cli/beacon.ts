import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../src/runtime/clock.ts'
import { scriptFile } from '../support/scripts.ts'

const program = fileURLToPath(new URL('../../src/beacon.mjs', import.meta.url))

/** Variables of the environment; nothing of the runner's own but where programs are found. */
export type Variables = Readonly<Record<string, string>>

/** How a command ended. `code` is null where a signal ended it. */
export type Ended = Readonly<{ code: number | null; stdout: string; stderr: string; tookMs: number }>

/** A command that runs as a user's would, in a process of its own. */
export type Running = Readonly<{
  pid: number
  stdout(): string
  stderr(): string
  ended: Promise<Ended>
  /** Reads its standard output no more, as `head` does. */
  closeOutput(): void
  /** Sends the signal; `tookMs` of what it returns counts from there. */
  stop(signal: NodeJS.Signals): Promise<Ended>
}>

/** Arguments separated by spaces, and what is added to the environment for them. */
export type Line = string | Readonly<{ line: string; variables: Variables }>

export type EndedLine = Omit<Ended, 'tookMs'>

/** The ways to run `beacon` in one environment; a line is what a user would type after its name. */
export type Commands = Readonly<{
  start(line: string, more?: Variables): Running
  /** Runs one command to its end. */
  run(line: string, more?: Variables): Promise<Ended>
  /**
   * Runs several command lines one after the other in one process, for what costs little but its start: each begins
   * with a new session, and nothing is shared between them.
   */
  runLines(lines: readonly Line[]): Promise<EndedLine[]>
  /** Ends what a failed test has left running. */
  killAll(): Promise<void>
}>

export function commandsIn(variables: Variables): Commands {
  const running = new Set<Running>()
  const startNode = (args: readonly string[], more: Variables) => {
    const started = start(args, { ...variables, ...more })
    running.add(started)
    started.ended.then(() => running.delete(started))
    return started
  }
  const startBeacon = (line: string, more: Variables = {}) => startNode([program, ...argsOf(line)], more)
  return {
    start: startBeacon,
    run: (line, more) => startBeacon(line, more).ended,
    runLines: async (lines) => {
      const asked = [scriptFile('cli/command-lines'), JSON.stringify(lines.map(withVariables))]
      return cutApart(lines.length, await startNode(asked, {}).ended)
    },
    killAll: async () => {
      await Promise.all([...running].map((each) => each.stop('SIGKILL')))
    },
  }
}

const argsOf = (line: string): string[] => line.split(' ').filter((part) => part !== '')

function withVariables(line: Line) {
  return typeof line === 'string'
    ? { args: argsOf(line), variables: {} }
    : { args: argsOf(line.line), variables: line.variables }
}

/** The outputs of several command lines, cut apart at their marks. */
function cutApart(count: number, { code, stdout, stderr }: Ended): EndedLine[] {
  const [told, said] = [stdout, stderr].map((text) => text.split('\u001e'))
  if (code !== 0 || told?.length !== count + 1) throw new Error(`${code}: ${stdout}${stderr}`)
  return told.slice(0, count).map((text, index) => {
    const [before = '', status = ''] = text.split('\u001f')
    return { code: Number(status), stdout: before, stderr: said?.[index] ?? '' }
  })
}

function start(args: readonly string[], variables: Variables): Running {
  const { PATH = '', HOME = '' } = process.env
  const startedAt = systemClock.now()
  const child = spawn(process.execPath, args, {
    env: { PATH, HOME, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const texts = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    texts.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    texts.stderr += text
  })
  // `close`, unlike `exit`, comes after the last output.
  const ended = once(child, 'close').then(
    ([code]: (number | null)[]): Ended => ({
      code: code ?? null,
      ...texts,
      tookMs: systemClock.now() - startedAt,
    }),
  )
  return {
    pid: child.pid ?? 0,
    stdout: () => texts.stdout,
    stderr: () => texts.stderr,
    ended,
    closeOutput: () => child.stdout.destroy(),
    stop: async (signal) => {
      const from = systemClock.now()
      child.kill(signal)
      const end = await ended
      return { ...end, tookMs: systemClock.now() - from }
    },
  }
}
