import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { scriptFile } from '../support/scripts.ts'

/** A process with an engine and a worker of its own, told what to do by its environment. */
export type WorkingProcess = Readonly<{
  child: ChildProcess
  /** Resolves when the process has written that line. */
  says(line: string): Promise<void>
  /** How it ended: its status, or the signal that ended it. */
  ended: Promise<number | string>
}>

export type Work = Readonly<{
  databaseUrl: string
  redisUrl: string | undefined
  queue: string
  /** Of its environment, beside those that tell it what to do. */
  variables?: Readonly<Record<string, string>>
  /** What its job does: finish, stay for ever, or block the event loop for five seconds. */
  job: 'finish' | 'stay' | 'block'
}>

/** Starts one. The caller sees that it ends. */
export function startProcess({ databaseUrl, redisUrl, queue, job, variables = {} }: Work): WorkingProcess {
  const child = spawn(process.execPath, [scriptFile('queue/working-process')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...variables,
      PATH: process.env.PATH,
      WORK_DATABASE_URL: databaseUrl,
      ...(redisUrl === undefined ? {} : { WORK_REDIS_URL: redisUrl }),
      WORK_QUEUE: queue,
      WORK_JOB: job,
    },
  })
  const ended = once(child, 'exit').then(([status, signal]) => status ?? signal)
  const lines = createInterface({ input: child.stdout })
  const said: string[] = []
  lines.on('line', (line) => said.push(line))
  const says = async (line: string) => {
    while (!said.includes(line)) {
      const outcome = await Promise.race([once(lines, 'line'), ended])
      if (!Array.isArray(outcome))
        throw new Error(`the process ended with ${outcome} and never said "${line}"`)
    }
  }
  return { child, says, ended }
}
