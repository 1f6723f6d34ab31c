// What the chart of a series marks: gaps with their cause, rows in quarantine, and revised candles.
import type { MarksAnswer } from '../../series-api.ts'
import type { Mark } from '../chart/canvas.ts'
import type { ChartMarks, ShownRange } from '../chart.ts'
import { instant } from '../elements/words.ts'
import { causeText } from '../gap-causes.ts'

/** The marks by the points of the chart, which may each stand for several candles. */
export function marksOf(answer: MarksAnswer, { from, to, pointSeconds }: ShownRange): ChartMarks {
  const first = Date.parse(from) / 1_000
  const end = Date.parse(to) / 1_000
  const marks = new Map<number, Mark>()
  const textAt = new Map<number, string>()
  const pointOf = (iso: string) => {
    const seconds = Date.parse(iso) / 1_000
    return seconds - ((((seconds - first) % pointSeconds) + pointSeconds) % pointSeconds)
  }
  const mark = (time: number, kind: Mark['kind'], text: string) => {
    if (time < first || time >= end) return
    marks.set(time, { time, kind })
    textAt.set(time, text)
  }
  for (const gap of answer.gaps)
    for (let time = pointOf(gap.from); time < Date.parse(gap.to) / 1_000; time += pointSeconds)
      mark(time, gap.cause === 'refused' ? 'quarantined' : 'gap', causeText(gap.cause))
  for (const { openTime, reason } of answer.quarantined)
    mark(pointOf(openTime), 'quarantined', `in quarantine: ${reason}`)
  for (const { openTime, revisedAt, oldClose } of answer.revisions)
    mark(pointOf(openTime), 'revised', `revised ${instant(revisedAt)} UTC, the close was ${oldClose}`)
  return { marks: [...marks.values()].toSorted((a, b) => a.time - b.time), textAt }
}
