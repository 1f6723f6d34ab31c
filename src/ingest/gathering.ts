import type { Instant } from '../market/instant.ts'
import { second } from '../market/instant.ts'
import type { CandleBatch } from '../store/candles.ts'

/** One transaction writes about so many rows: more make it no faster, and are held in memory until then. */
const enoughRows = 50_000

/** Nor does it lock more series than this: all processes share the server's table of locks. */
const enoughBatches = 500

/** What came from a source is not kept waiting for the rest for longer, in milliseconds. */
const longestWaitMs = second

/**
 * Hands on what a source answers, and calls `meanwhile` when the next answer takes longer than that: what has come must
 * not lie in memory until a slow source goes on.
 */
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

/** By a bare timer, since it is set for every answer: ending one by a signal makes an error with a stack. */
const settlesWithin = (work: Promise<unknown>, limitMs: number): Promise<boolean> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, limitMs, false)
    const settled = () => {
      clearTimeout(timer)
      resolve(true)
    }
    work.then(settled, settled)
  })

/** Answers on their way into one transaction. */
export class Gathering {
  #batches: CandleBatch[] = []
  #rows = 0
  #since: Instant | undefined

  add(batch: CandleBatch, now: Instant): void {
    this.#batches.push(batch)
    this.#rows += batch.rows.openTimes.length + batch.rejected.length
    this.#since ??= now
  }

  /** Whether it is time to write them. */
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

  /** Hands them over, and begins anew. */
  take(): CandleBatch[] {
    const batches = this.#batches
    this.#batches = []
    this.#rows = 0
    this.#since = undefined
    return batches
  }
}
