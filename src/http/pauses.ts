import { type BudgetStore, openBucketStore } from './open-bucket-store.ts'

/**
 * `slow-down`: rate limited. `banned`: limit ignored, or blocked by its firewall. `unserved`: no host serves our
 * region.
 */
const kinds = ['slow-down', 'banned', 'unserved'] as const
export type StopKind = (typeof kinds)[number]

export type Pause = Readonly<{ source: string; kind: StopKind; leftMs: number }>

/** Shared by all processes and kept over restarts. */
export type Pauses = Readonly<{
  read(source: string): Promise<Pause | undefined>
  write(stop: Pause): Promise<void>
}>

export function openPauses(store: BudgetStore): Pauses {
  const buckets = openBucketStore(store)
  const keyOf = (source: string) => `stop:${source}`
  return {
    read: async (source) => {
      const timer = await buckets.read(keyOf(source))
      // Kind, counted from 1.
      const kind = kinds[(timer?.mark ?? 0) - 1]
      return timer && kind ? { source, kind, leftMs: timer.leftMs } : undefined
    },
    write: ({ source, kind, leftMs }) =>
      buckets.put(keyOf(source), { leftMs, mark: kinds.indexOf(kind) + 1 }),
  }
}
