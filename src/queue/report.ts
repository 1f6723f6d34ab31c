import type { Log } from '../runtime/log.ts'
import { reasonOf } from '../runtime/when-answering.ts'
import type { EngineJob, EngineQueue } from './engine.ts'
import type { Report } from './job.ts'
import { keptRows } from './run-log.ts'
import { storableText } from './storable.ts'

export type OrderedReport = Omit<Report, 'log'> &
  Readonly<{ writeRow(row: string): void; settled(): Promise<void> }>

/** Sequential: PostgreSQL loses lines written concurrently. */
export function reportOf(queued: EngineJob, queue: EngineQueue, log: Log): OrderedReport {
  let tail: Promise<void> = Promise.resolve()
  const inOrder = (write: () => Promise<unknown>): Promise<void> => {
    const written = tail.then(write).then(() => undefined)
    // A job that does not await the line must not end the process.
    tail = written.catch((error) => {
      log.warn('job.report-lost', { job: queued.name, jobId: queued.id, reason: reasonOf(error) })
    })
    return written
  }
  return {
    attempt: queued.attemptsMade + 1,
    progress: (done, total) => inOrder(() => queued.updateProgress({ done, total })),
    writeRow: (row) => {
      // Its failure was logged above.
      inOrder(() => queue.addJobLog(queued.id ?? '', storableText(row), keptRows)).catch(() => undefined)
    },
    settled: () => tail,
  }
}
