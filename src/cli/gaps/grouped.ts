import type { Gap } from '../../ingest/gaps.ts'

export type Some<T> = readonly [T, ...T[]]

/** Puts together what has the same key, in the order in which the keys first come. */
export function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Some<T>[] {
  const groups = new Map<string, [T, ...T[]]>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group) group.push(item)
    else groups.set(keyOf(item), [item])
  }
  return [...groups.values()]
}

export const candlesIn = (gaps: readonly Gap[]): number => gaps.reduce((sum, { candles }) => sum + candles, 0)
