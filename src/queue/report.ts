import type { Log } from '../runtime/log.ts'
import { reasonOf } from '../runtime/when-answering.ts'
import type { EngineJob } from './engine.ts'
import type { Report } from './job.ts'
import { storableText } from './storable.ts'

/** A report, and the end of everything that was reported so far. */
export type OrderedReport = Report & Readonly<{ settled(): Promise<void> }>

/** Writes one thing after the other: PostgreSQL loses lines that are written at the same time. */
export function reportOf(queued: EngineJob, log: Log): OrderedReport {
  let tail: Promise<void> = Promise.resolve()
  const inOrder = (write: () => Promise<unknown>): Promise<void> => {
    const written = tail.then(write).then(() => undefined)
    // Whoever waits for the line hears of it too; a job that does not wait must not end the process.
    tail = written.catch((error) => {
      log.warn('job.report-lost', { job: queued.name, jobId: queued.id, reason: reasonOf(error) })
    })
    return written
  }
  return {
    attempt: queued.attemptsMade + 1,
    progress: (done, total) => inOrder(() => queued.updateProgress({ done, total })),
    log: (line) => inOrder(() => queued.log(storableText(line))),
    settled: () => tail,
  }
}
