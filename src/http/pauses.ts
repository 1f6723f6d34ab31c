import { type BudgetStore, openBucketStore } from './open-bucket-store.ts'

/**
 * Why a source is not asked. `slow-down`: we asked too much. `banned`: we went on all the same, or its firewall does not
 * want us. `unserved`: none of its hosts serves the region of our address.
 */
const kinds = ['slow-down', 'banned', 'unserved'] as const
export type StopKind = (typeof kinds)[number]

export type Pause = Readonly<{ source: string; kind: StopKind; leftMs: number }>

/** What stands against asking the sources, known to the whole fleet and kept over restarts. */
export type Pauses = Readonly<{
  read(source: string): Promise<Pause | undefined>
  /** Takes the place of what stood before. */
  write(stop: Pause): Promise<void>
}>

export function openPauses(store: BudgetStore): Pauses {
  const buckets = openBucketStore(store)
  const keyOf = (source: string) => `stop:${source}`
  return {
    read: async (source) => {
      const timer = await buckets.read(keyOf(source))
      // The mark is the kind, counted from 1.
      const kind = kinds[(timer?.mark ?? 0) - 1]
      return timer && kind ? { source, kind, leftMs: timer.leftMs } : undefined
    },
    write: ({ source, kind, leftMs }) =>
      buckets.put(keyOf(source), { leftMs, mark: kinds.indexOf(kind) + 1 }),
  }
}
