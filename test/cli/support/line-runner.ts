import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { scriptFile } from '../../support/scripts.ts'

export type AskedLine = Readonly<{ args: readonly string[]; variables: Readonly<Record<string, string>> }>

/** `code` is the exit status that a process of its own would have ended with. */
export type EndedLine = Readonly<{ code: number; stdout: string; stderr: string }>

/** Shorter than a test may take: a line that does not end fails its own test and no other. */
const timeoutMs = 100_000

/** One process for all command lines of a worker: loading the commands costs more than most of them do. */
let runner: ChildProcess | undefined
let lastTurn: Promise<unknown> = Promise.resolve()

/** Runs the lines in their order, after those that were asked for before. */
export function runInOneProcess(lines: readonly AskedLine[]): Promise<EndedLine[]> {
  const turn = lastTurn.then(() => runNow(lines))
  lastTurn = turn.catch(() => undefined)
  return turn
}

async function runNow(lines: readonly AskedLine[]): Promise<EndedLine[]> {
  runner ??= startRunner()
  const ended = new AbortController()
  const gone = once(runner, 'exit', {
    signal: AbortSignal.any([ended.signal, AbortSignal.timeout(timeoutMs)]),
  })
  const outputs = [runner.stdout, runner.stderr].map((stream) => untilMarked(stream, lines.length))
  runner.send(lines)
  try {
    const [reported = [], said = []] = await Promise.race([Promise.all(outputs), gone.then(failure)])
    return reported.map((text, index) => {
      const [stdout = '', status = ''] = text.split('\u001f')
      return { code: Number(status), stdout, stderr: said[index] ?? '' }
    })
  } catch (error) {
    runner.kill('SIGKILL')
    runner = undefined
    throw error
  } finally {
    ended.abort()
  }
}

function failure([code]: unknown[]): never {
  throw new Error(`the process of the command lines ended with ${code}`)
}

function startRunner(): ChildProcess {
  const { PATH = '', HOME = '' } = process.env
  const child = fork(scriptFile('cli/support/command-lines'), {
    env: { PATH, HOME },
    execArgv: [],
    silent: true,
  })
  // It waits for lines as long as the worker lives, and must not keep it.
  child.unref()
  child.channel?.unref()
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8')
    if (stream instanceof Socket) stream.unref()
  }
  return child
}

/** What comes until so many marks have come, cut apart at them. */
function untilMarked(stream: Readable | null, count: number): Promise<string[]> {
  return new Promise((resolve) => {
    let text = ''
    const read = (more: string) => {
      text += more
      const pieces = text.split('\u001e')
      if (pieces.length <= count) return
      stream?.off('data', read)
      resolve(pieces.slice(0, count))
    }
    stream?.on('data', read)
  })
}
