import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Unavailable } from '../../fault.ts'
import { second } from '../../market/instant.ts'
import { processIdentity } from './process.ts'

/** A file that says: this process is here. It is void as soon as its process is gone, however it went. */
export type Mark = Readonly<{ name: string; remove(): Promise<void> }>

/** Longer than the longest thing done within a turn, which is the crash recovery of a server. */
const turnWaitMs = 180 * second

/** Leaves a mark of this process in the folder. */
export async function leaveMark(folder: string): Promise<Mark> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const identity = await processIdentity(process.pid)
  const name = `${process.pid}.${identity}.${randomUUID().slice(0, 8)}`
  const path = join(folder, name)
  await writeFile(path, '', { flag: 'wx', mode: 0o600 })
  return { name, remove: () => rm(path, { force: true }) }
}

/** The marks whose process lives. Those of the dead are removed: no later process can bear the same name. */
export async function dynamicMarks(folder: string): Promise<string[]> {
  const dynamic: string[] = []
  for (const name of await readdir(folder)) {
    const [pid, identity] = name.split('.')
    if (identity === (await processIdentity(Number(pid)))) dynamic.push(name)
    else await rm(join(folder, name), { force: true })
  }
  return dynamic
}

/**
 * Does the work while no other process, and nobody else in this one, does theirs in the same folder.
 * Throws Unavailable when the turn does not come within three minutes.
 */
export async function inTurn<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const turn = await takeTurn(folder)
  try {
    return await work()
  } finally {
    await turn.remove()
  }
}

/**
 * Two can never both see themselves alone, because each leaves its mark before it looks; those who see each other
 * step back for a random while. Unlike a lock file of one name, a dead mark can be removed without the risk of
 * removing a new one.
 */
async function takeTurn(folder: string): Promise<Mark> {
  const deadline = AbortSignal.timeout(turnWaitMs)
  for (;;) {
    const mark = await leaveMark(folder)
    const others = (await dynamicMarks(folder)).filter((name) => name !== mark.name)
    if (others.length === 0) return mark
    await mark.remove()
    if (deadline.aborted) {
      throw new Unavailable(`process ${others[0]?.split('.')[0]} holds ${folder}: end it and try again`)
    }
    await setTimeout(10 + 30 * Math.random())
  }
}
