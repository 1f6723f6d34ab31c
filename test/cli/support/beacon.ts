import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type AskedLine, type EndedLine, runInOneProcess } from './line-runner.ts'

const program = fileURLToPath(new URL('../../../dist/beacon.js', import.meta.url))

/** Variables of the environment; nothing of the runner's own but where programs are found. */
export type Variables = Readonly<Record<string, string>>

/** How a command ended. `code` is null where a signal ended it. */
type Ended = Readonly<{ code: number | null; stdout: string; stderr: string }>

/** A command that runs as a user's would, in a process of its own. */
export type Running = Readonly<{
  pid: number
  stdout(): string
  stderr(): string
  ended: Promise<Ended>
  /** Reads its standard output no more, as `head` does. */
  closeOutput(): void
  /** Sends the signal. */
  stop(signal: NodeJS.Signals): Promise<Ended>
}>

/** Arguments separated by spaces, or as they are; and what is added to the environment for them. */
export type Line =
  | string
  | Readonly<{ line: string; variables: Variables }>
  | Readonly<{ args: readonly string[] }>

/** The ways to run `beacon` in one environment; a line is what a user would type after its name. */
export type Commands = Readonly<{
  start(line: string, more?: Variables): Running
  /** Runs one command to its end. */
  run(line: string, more?: Variables): Promise<Ended>
  /**
   * Runs several command lines one after the other in the process that all tests of the worker share, for what costs
   * little but its start: each begins with a new session, and nothing is shared between them.
   */
  runLines(lines: readonly Line[]): Promise<EndedLine[]>
  /** Ends what a failed test has left running. */
  killAll(): Promise<void>
}>

export function commandsIn(variables: Variables): Commands {
  const running = new Set<Running>()
  const startBeacon = (line: string, more: Variables = {}) => {
    const started = start(argsOf(line), { ...variables, ...more })
    running.add(started)
    started.ended.then(() => running.delete(started))
    return started
  }
  return {
    start: startBeacon,
    run: (line, more) => startBeacon(line, more).ended,
    runLines: (lines) => runInOneProcess(lines.map((line) => asked(line, variables))),
    killAll: async () => {
      await Promise.all([...running].map((each) => each.stop('SIGKILL')))
    },
  }
}

const argsOf = (line: string): string[] => line.split(' ').filter((part) => part !== '')

function asked(line: Line, variables: Variables): AskedLine {
  if (typeof line !== 'string' && 'args' in line)
    return { args: [...line.args], variables: { ...ownVariables(), ...variables } }
  const { line: text, variables: more } = typeof line === 'string' ? { line, variables: {} } : line
  return { args: argsOf(text), variables: { ...ownVariables(), ...variables, ...more } }
}

const ownVariables = (): Variables => ({ PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' })

function start(args: readonly string[], variables: Variables): Running {
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...ownVariables(), ...variables },
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
    ([code]: (number | null)[]): Ended => ({ code: code ?? null, ...texts }),
  )
  return {
    pid: child.pid ?? 0,
    stdout: () => texts.stdout,
    stderr: () => texts.stderr,
    ended,
    closeOutput: () => child.stdout.destroy(),
    stop: async (signal) => {
      child.kill(signal)
      return ended
    },
  }
}
