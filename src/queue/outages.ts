import { Unavailable } from '../fault.ts'
import type { Log } from '../runtime/log.ts'
import { reasonOf } from '../runtime/when-answering.ts'
import type { EngineQueue } from './engine.ts'

/** At most so many at a time: the rest is promoted by the next success, or when it is due. */
const mostPromoted = 500

/**
 * The queues whose source failed at this process's last request. As soon as a run succeeds again, what was put off there is
 * retried at once.
 */
export class Outages {
  readonly #queues = new Set<string>()
  readonly #log: Log

  constructor(log: Log) {
    this.#log = log
  }

  failed(queue: string, error: unknown): void {
    if (error instanceof Unavailable) this.#queues.add(queue)
  }

  async succeeded(queue: EngineQueue): Promise<void> {
    if (!this.#queues.delete(queue.name)) return
    try {
      const delayed = await queue.getDelayed(0, mostPromoted - 1)
      const putOff = delayed.filter((job) => job !== undefined && job.attemptsMade > 0)
      for (const job of putOff) await job.promote()
      if (putOff.length > 0)
        this.#log.debug('source.answers-again', { queue: queue.name, jobs: putOff.length })
    } catch (error) {
      // Another process may have promoted one first; all of them are tried when they are due.
      this.#log.debug('queue.not-promoted', { queue: queue.name, reason: reasonOf(error) })
    }
  }
}
