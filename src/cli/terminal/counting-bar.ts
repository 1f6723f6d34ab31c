import { second } from '../../market/instant.ts'
import { systemClock } from '../../runtime/clock.ts'
import { countText, say, spanText } from './output.ts'
import { withTerminalBar } from './terminal-bar.ts'

/** A bar on a terminal, a line per tenth elsewhere. */
export async function withCountingBar<T>(
  total: number,
  nouns: string,
  work: (onProgress: (done: number) => void) => Promise<T>,
): Promise<T> {
  if (!process.stderr.isTTY) return work(sayEveryTenth(total, nouns))
  const startedAt = systemClock.now()
  const beside = (done: number, leftMs: number | undefined) =>
    `${countText(done)} of ${countText(total)} ${nouns}${leftMs === undefined ? '' : `  ${spanText(leftMs)} left`}`
  return withTerminalBar({ total, longest: beside(total, 99 * second) }, (bar) =>
    work((done) => {
      const tookMs = systemClock.now() - startedAt
      const left = done > 0 && done < total ? ((total - done) * tookMs) / done : undefined
      bar.show(done, beside(done, left))
    }),
  )
}

function sayEveryTenth(total: number, nouns: string): (done: number) => void {
  let saidTenths = 0
  return (done) => {
    const tenths = Math.floor((10 * done) / total)
    if (tenths <= saidTenths || done >= total) return
    saidTenths = tenths
    say(`${countText(done)} of ${countText(total)} ${nouns} (${10 * tenths} %)`)
  }
}
