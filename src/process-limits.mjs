import { readFileSync } from 'node:fs'
import { getHeapStatistics } from 'node:v8'

/** What a command, and a daemon at work, need of the process. The files are those that Node opens at once to load the code, too. */
const neededFiles = 256
const neededHeapMb = 128

/** Where the process may use less than it needs, one message that says so. Asked before anything else is loaded. */
export function tooSmallLimit() {
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

function openFilesLimit() {
  try {
    const [, limit = ''] = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit)
  } catch {
    // Where there is no /proc, Node's report has it; it takes thirty times as long.
    const { soft } = process.report.getReport().userLimits?.open_files ?? {}
    return typeof soft === 'number' ? soft : Number.POSITIVE_INFINITY
  }
}
