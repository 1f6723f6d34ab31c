import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Unavailable } from '../../fault.ts'
import { second } from '../../market/instant.ts'
import { processIdentity } from './process.ts'

/** A file that marks a live process; void once the process is gone. */
export type Mark = Readonly<{ name: string; remove(): Promise<void> }>

/** Longer than a server's crash recovery. */
const turnWaitMs = 180 * second

export async function leaveMark(folder: string): Promise<Mark> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const identity = await processIdentity(process.pid)
  const name = `${process.pid}.${identity}.${randomUUID().slice(0, 8)}`
  const path = join(folder, name)
  await writeFile(path, '', { flag: 'wx', mode: 0o600 })
  return { name, remove: () => rm(path, { force: true }) }
}

/** Removes marks of dead processes; names are never reused. */
export async function liveMarks(folder: string): Promise<string[]> {
  const alive: string[] = []
  for (const name of await readdir(folder)) {
    const [pid, identity] = name.split('.')
    if (identity === (await processIdentity(Number(pid)))) alive.push(name)
    else await rm(join(folder, name), { force: true })
  }
  return alive
}

/** Runs work exclusively per folder, across processes. Throws Unavailable after three minutes. */
export async function inTurn<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const turn = await takeTurn(folder)
  try {
    return await work()
  } finally {
    await turn.remove()
  }
}

/**
 * Each leaves a mark before checking others, so two never both proceed; conflicts back off randomly. Unlike one lock
 * file, stale marks can be removed safely.
 */
async function takeTurn(folder: string): Promise<Mark> {
  const deadline = AbortSignal.timeout(turnWaitMs)
  for (;;) {
    const mark = await leaveMark(folder)
    const others = (await liveMarks(folder)).filter((name) => name !== mark.name)
    if (others.length === 0) return mark
    await mark.remove()
    if (deadline.aborted) {
      throw new Unavailable(`process ${others[0]?.split('.')[0]} holds ${folder}: end it and try again`)
    }
    await setTimeout(10 + 30 * Math.random())
  }
}
