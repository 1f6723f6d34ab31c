import type { Instant } from '../market/instant.ts'
import { second } from '../market/instant.ts'
import type { CandleBatch } from '../store/candles.ts'

/** More rows per transaction are not faster and use memory. */
const enoughRows = 50_000

/** Limits locks: the server's lock table is shared. */
const enoughBatches = 500

/** Answers wait this long for others, in ms. */
const longestWaitMs = second

/** Yields answers; calls `meanwhile` if the next takes longer, so that a slow source does not keep data in memory. */
export async function* withoutWaiting<T>(
  answers: AsyncGenerator<T, void>,
  pageTimeoutMs: number,
  meanwhile: () => Promise<void>,
): AsyncGenerator<T, void> {
  try {
    for (;;) {
      const next = answers.next()
      if (!(await settlesWithin(next, pageTimeoutMs))) await meanwhile()
      const { done, value } = await next
      if (done || value === undefined) return
      yield value
    }
  } finally {
    await answers.return()
  }
}

/** A plain timer: an aborted signal would create an error with stack per answer. */
const settlesWithin = (work: Promise<unknown>, limitMs: number): Promise<boolean> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, limitMs, false)
    const settled = () => {
      clearTimeout(timer)
      resolve(true)
    }
    work.then(settled, settled)
  })

export class Gathering {
  #batches: CandleBatch[] = []
  #rows = 0
  #since: Instant | undefined

  add(batch: CandleBatch, now: Instant): void {
    this.#batches.push(batch)
    this.#rows += batch.rows.openTimes.length + batch.rejected.length
    this.#since ??= now
  }

  isEnough(now: Instant): boolean {
    return (
      this.#rows >= enoughRows ||
      this.#batches.length >= enoughBatches ||
      (this.#since !== undefined && now - this.#since >= longestWaitMs)
    )
  }

  isEmpty(): boolean {
    return this.#batches.length === 0
  }

  take(): CandleBatch[] {
    const batches = this.#batches
    this.#batches = []
    this.#rows = 0
    this.#since = undefined
    return batches
  }
}
