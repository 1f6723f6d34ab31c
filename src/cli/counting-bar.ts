import { SingleBar } from 'cli-progress'
import { countText, say } from './output.ts'

/** Shows how far work is that is counted in `nouns`: a bar on a terminal, a line for each tenth elsewhere. */
export async function withCountingBar<T>(
  total: number,
  nouns: string,
  work: (onProgress: (done: number) => void) => Promise<T>,
): Promise<T> {
  if (!process.stderr.isTTY) return work(sayEveryTenth(total, nouns))
  const bar = new SingleBar({
    format: `{bar} {percentage} % | {value} of {total} ${nouns} | {eta_formatted} left`,
    stream: process.stderr,
    hideCursor: true,
    etaBuffer: 50,
    forceRedraw: true,
  })
  bar.start(total, 0)
  try {
    return await work((done) => bar.update(done))
  } finally {
    bar.stop()
  }
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
