import type { Instant } from '../market/instant.ts'
import { second } from '../market/instant.ts'
import type { Context } from '../runtime/context.ts'
import { type Accounting, addAccounting, type CandleBatch, nothingReceived } from '../store/candles.ts'
import type { Unplaced } from '../store/partitions/leave-out.ts'
import { type LoadDeps, loadPages } from './load-pages.ts'
import { withoutWaiting } from './without-waiting.ts'

/** Above this a transaction gets no faster, and the rows are held in memory until it begins. */
const rowsPerTransaction = 50_000

/** All processes share the server's table of locks, and each series takes one. */
const pagesPerTransaction = 500

/** The longest time that a page waits for others, in milliseconds. */
const longestWaitMs = second

export type Filled = Accounting & Readonly<{ requests: number; ignored: number; roundedValues: number }>

export const nothingFilled: Filled = { ...nothingReceived, requests: 0, ignored: 0, roundedValues: 0 }

export const addFilled = (a: Filled, b: Filled): Filled => ({
  ...addAccounting(a, b),
  requests: a.requests + b.requests,
  ignored: a.ignored + b.ignored,
  roundedValues: a.roundedValues + b.roundedValues,
})

/** One checked answer, ready to be written, and what it took. */
export type CheckedPage = Readonly<{ batch: CandleBatch }> &
  Pick<Filled, 'requests' | 'ignored' | 'roundedValues'>

export type WriterDeps = LoadDeps & Pick<Context, 'steadyClock' | 'onBatch'>

/**
 * Writes checked answers with their coverage, several in one transaction. Every candle that comes from a source or its
 * archive is written by one of these. Candles without a partition are left out and kept in `unplaced`.
 */
export class CandleWriter<Page extends CheckedPage = CheckedPage> {
  readonly #deps: WriterDeps
  readonly #onCommit: (pages: readonly Page[], filled: Filled) => Promise<void> | void
  readonly #unplaced: Unplaced[] = []
  #filled = nothingFilled
  #pages: Page[] = []
  #rows = 0
  #since: Instant | undefined

  /** `onCommit` gets the pages of each transaction, and what all of them came to so far. */
  constructor(
    deps: WriterDeps,
    onCommit: (pages: readonly Page[], filled: Filled) => Promise<void> | void = () => {},
  ) {
    this.#deps = deps
    this.#onCommit = onCommit
  }

  /** What was committed, and the requests of all pages. */
  get filled(): Filled {
    return this.#filled
  }

  get unplaced(): readonly Unplaced[] {
    return this.#unplaced
  }

  /** Takes pages as they come. While the next one takes longer than the timeout of a page, the others are written. */
  async takeAll(pages: AsyncGenerator<Page, void>, pageTimeoutMs: number): Promise<void> {
    for await (const page of withoutWaiting(pages, pageTimeoutMs, () => this.write())) {
      this.take(page)
      if (this.#isFull()) await this.write()
    }
  }

  /** Takes a page, which the next `write` writes. */
  take(page: Page): void {
    this.#pages.push(page)
    this.#filled = addFilled(this.#filled, { ...nothingFilled, requests: page.requests })
    this.#rows += page.batch.rows.openTimes.length + page.batch.rejected.length
    this.#since ??= this.#deps.steadyClock.now()
  }

  /** Writes what has been taken since the last time. */
  async write(): Promise<void> {
    if (this.#pages.length === 0) return
    const pages = this.#pages
    this.#pages = []
    this.#rows = 0
    this.#since = undefined
    const { accounting, unplaced } = await loadPages(
      this.#deps,
      pages.map(({ batch }) => batch),
    )
    this.#deps.onBatch?.('candles', { pages: pages.length, ...accounting })
    const written = { ...nothingFilled, ...accounting }
    this.#filled = pages.reduce(
      (sum, { ignored, roundedValues }) => addFilled(sum, { ...nothingFilled, ignored, roundedValues }),
      addFilled(this.#filled, written),
    )
    this.#unplaced.push(...unplaced)
    await this.#onCommit(pages, this.#filled)
  }

  #isFull(): boolean {
    return (
      this.#rows >= rowsPerTransaction ||
      this.#pages.length >= pagesPerTransaction ||
      (this.#since !== undefined && this.#deps.steadyClock.now() - this.#since >= longestWaitMs)
    )
  }
}
