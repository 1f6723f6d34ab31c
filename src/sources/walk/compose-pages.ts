import { type CandleRow, openTimeOf } from '../../market/candle.ts'
import { composeCandles } from '../../market/compose-candles.ts'
import { earlier, type Instant } from '../../market/instant.ts'
import { type AlignedRange, contains, type Range } from '../../market/range.ts'
import { ceilTo, floorTo, type Timeframe } from '../../market/timeframe.ts'
import type { WalkedPage } from './walked-page.ts'

/** Rows that do not complete a candle yet. */
type Waiting = AlignedRange & Readonly<{ requests: number; answeredAt: Instant }>

/** Merges pages into complete candles of a longer timeframe. */
export async function* composePages(
  pages: AsyncGenerator<WalkedPage>,
  part: Timeframe,
  timeframe: Timeframe,
): AsyncGenerator<WalkedPage> {
  let rows: CandleRow[] = []
  let waiting: Waiting | undefined
  for await (const page of pages) {
    // After a gap the candle between is incomplete.
    if (waiting === undefined || waiting.to !== page.answered.from) rows = []
    waiting = joined(waiting, page, timeframe)
    rows.push(...page.rows.filter((row) => isOf(row, page.answered)))
    const answered = { from: waiting.from, to: floorTo(timeframe, page.answered.to) }
    if (answered.from >= answered.to) continue
    const { answeredAt, requests } = waiting
    const ready = rows.filter((row) => isOf(row, answered))
    const composed = composeCandles(ready, { timeframe: part, range: answered, now: answeredAt }, timeframe)
    yield { rows: composed, answered, answeredAt, requests }
    rows = rows.filter((row) => !isOf(row, answered))
    waiting = { from: answered.to, to: page.answered.to, requests: 0, answeredAt: page.answeredAt }
  }
}

function joined(waiting: Waiting | undefined, page: WalkedPage, timeframe: Timeframe): Waiting {
  const { from, to } = page.answered
  const requests = (waiting?.requests ?? 0) + page.requests
  if (waiting === undefined || waiting.to !== from)
    return { from: ceilTo(timeframe, from), to, requests, answeredAt: page.answeredAt }
  // The earlier time: rows read before the close are not closed.
  return { from: waiting.from, to, requests, answeredAt: earlier(waiting.answeredAt, page.answeredAt) }
}

/** Rows without a time belong to their page. */
function isOf(row: CandleRow, range: Range): boolean {
  const openTime = openTimeOf(row)
  return openTime === undefined || contains(range, openTime)
}
