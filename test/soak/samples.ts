import { readdir, readFile } from 'node:fs/promises'
import type { Pool } from 'pg'

/** What a daemon takes at one moment. */
export type Sample = Readonly<{
  minute: number
  memoryMb: number
  handles: number
  connections: number
  queued: number
  /** Dead rows of all tables that autovacuum has not taken away yet. */
  deadRows: number
  /** Of the tables of queue and bookkeeping, which do not grow with candles, in MB. */
  tablesMb: number
}>

type Name = Exclude<keyof Sample, 'minute'>

type Sampled = Readonly<{ pid: number; pool: Pool; queued(): Promise<number> }>

export async function takeSample({ pid, pool, queued }: Sampled, minute: number): Promise<Sample> {
  const status = await readFile(`/proc/${pid}/status`, 'latin1')
  const kilobytes = Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1])
  const handles = (await readdir(`/proc/${pid}/fd`)).length
  const { rows } = await pool.query<Record<'connections' | 'dead' | 'mb', string>>(`
    select (select count(*) from pg_stat_activity
        where datname = current_database() and application_name like 'beacon%') as connections,
      sum(n_dead_tup) as dead,
      sum(pg_total_relation_size(relid)) filter (
        where schemaname = 'bullmq' or relname in
          ('candle_coverage', 'failing_jobs', 'fleet_counters', 'locks', 'request_budget', 'worker_presence')
      ) / 1048576.0 as mb
    from pg_stat_user_tables`)
  const [row] = rows
  return {
    minute,
    memoryMb: kilobytes / 1_024,
    handles,
    connections: Number(row?.connections),
    queued: await queued(),
    deadRows: Number(row?.dead),
    tablesMb: Number(row?.mb),
  }
}

/** How much more than in the middle of the run there may be at its end: a part, and so much that does not count. */
const allowances: Readonly<Record<Name, Readonly<{ title: string; part: number; least: number }>>> = {
  memoryMb: { title: 'memory, MB', part: 0.15, least: 15 },
  handles: { title: 'open files', part: 0.1, least: 5 },
  connections: { title: 'connections', part: 0.1, least: 4 },
  queued: { title: 'jobs in queues', part: 0.1, least: 20 },
  deadRows: { title: 'dead rows', part: 0.5, least: 10_000 },
  tablesMb: { title: 'queue and bookkeeping, MB', part: 0.25, least: 8 },
}

export type Growth = Readonly<{ name: Name; title: string; middle: number; end: number; grows: boolean }>

/** Compares the medians of the second and of the last third: the first one warms up. */
export function growthOf(samples: readonly Sample[]): Growth[] {
  const third = Math.floor(samples.length / 3)
  const [middle, last] = [samples.slice(third, 2 * third), samples.slice(-third)]
  return (Object.keys(allowances) as Name[]).map((name) => {
    const { title, part, least } = allowances[name]
    const [before, after] = [median(middle, name), median(last, name)]
    return { name, title, middle: before, end: after, grows: after > before * (1 + part) + least }
  })
}

function median(samples: readonly Sample[], name: Name): number {
  const sorted = samples.map((sample) => sample[name]).toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
