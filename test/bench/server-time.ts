import { readdir, readFile } from 'node:fs/promises'
import type { Pool } from 'pg'

/** The CPU time that a local PostgreSQL server has used, with all its processes, in seconds. */
export type ServerTime = Readonly<{ cpuSeconds(): Promise<number> }>

/** Clock ticks of `/proc` on every Linux. */
const ticksPerSecond = 100

/** Not a number where the machine has no `/proc`. */
export async function serverTime(pool: Pool): Promise<ServerTime> {
  const { rows } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid')
  const postmaster = (await processOf(rows[0]?.pid ?? 0))?.parent
  return { cpuSeconds: async () => (postmaster === undefined ? Number.NaN : total(postmaster)) }
}

async function total(postmaster: number): Promise<number> {
  for (;;) {
    const before = await processOf(postmaster)
    const dynamic = (await children(postmaster)).reduce((sum, { own }) => sum + own, 0)
    const after = await processOf(postmaster)
    if (!before || !after) return Number.NaN
    // A process that ended meanwhile may have been counted twice or not at all: look again.
    if (before.ended === after.ended) return (after.own + after.ended + dynamic) / ticksPerSecond
  }
}

type Process = Readonly<{ parent: number; own: number; ended: number }>

async function children(parent: number): Promise<Process[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const processes = await Promise.all(pids.map((pid) => processOf(Number(pid))))
  return processes.filter((one) => one !== undefined).filter((one) => one.parent === parent)
}

/** Parent and ticks of a process, and of those of its children that have ended; undefined for one that is gone. */
async function processOf(pid: number): Promise<Process | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined)
  // The name, in brackets, may hold anything.
  const fields = stat
    ?.slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  if (!fields) return undefined
  const [, parent = 0] = fields
  const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.slice(11, 15)
  return { parent, own: user + system, ended: endedUser + endedSystem }
}
