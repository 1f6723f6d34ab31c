import { readFileSync } from 'node:fs'
import { getHeapStatistics } from 'node:v8'

/** Loading code alone opens many files. */
const neededFiles = 256
const neededHeapMb = 128

/** Undefined if limits suffice. */
export function tooSmallLimit(): string | undefined {
  const files = openFilesLimit()
  if (files < neededFiles) {
    return (
      `this process may open ${files} files, and needs ${neededFiles}: raise the limit with "ulimit -n ${neededFiles}", ` +
      `or LimitNOFILE=${neededFiles} in the unit of systemd`
    )
  }
  const heapMb = Math.round(getHeapStatistics().heap_size_limit / 1_048_576)
  if (heapMb < neededHeapMb) {
    return (
      `Node may use ${heapMb} MB of memory for this process, and needs ${neededHeapMb}: set ` +
      `NODE_OPTIONS=--max-old-space-size=${neededHeapMb}, or give the container more memory`
    )
  }
  return undefined
}

type Report = Readonly<{ userLimits?: Readonly<{ open_files?: Readonly<{ soft: unknown }> }> }>

function openFilesLimit(): number {
  try {
    const [, limit = ''] = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit)
  } catch {
    // Without /proc; 30 times slower.
    const { userLimits } = process.report.getReport() as Report
    const soft = userLimits?.open_files?.soft
    return typeof soft === 'number' ? soft : Number.POSITIVE_INFINITY
  }
}
