import { Unavailable } from '../fault.ts'
import type { Log } from '../runtime/log.ts'
import { reasonOf } from '../runtime/when-answering.ts'
import type { EngineQueue } from './engine.ts'

/** The rest is promoted at the next success or runs when due. */
const mostPromoted = 500

/** Queues whose source failed last in this process. After the next success their delayed jobs are promoted. */
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
      // Another process may have promoted it; otherwise it runs when due.
      this.#log.debug('queue.not-promoted', { queue: queue.name, reason: reasonOf(error) })
    }
  }
}
