import { MultiBar, type Options } from 'cli-progress'

const longestBar = 40
const shortestBar = 10

export type TerminalBar = Readonly<{
  /** `below`: additional lines. */
  show(done: number, beside: string, below?: string): void
}>

type BarOptions = Readonly<{
  total: number
  /** Longest `beside`, reserved. */
  longest: string
}>

export async function withTerminalBar<T>(
  { total, longest }: BarOptions,
  work: (bar: TerminalBar) => Promise<T>,
): Promise<T> {
  const room = (process.stderr.columns || 80) - longest.length - ' 100 %  '.length - 1
  const options: Options = {
    stream: process.stderr,
    hideCursor: true,
    forceRedraw: true,
    barsize: Math.min(longestBar, Math.max(shortestBar, room)),
    barCompleteChar: '█',
    barIncompleteChar: '░',
    autopadding: true,
  }
  const bars = new MultiBar({ ...options, format: '{bar} {percentage} %  {beside}' })
  const bar = bars.create(total, 0, { beside: '' })
  const text = bars.create(1, 0, { below: '' }, { format: '{below}' })
  // Restores the cursor on exit.
  const onExit = () => bars.stop()
  process.once('exit', onExit)
  try {
    return await work({
      show: (done, beside, below = '') => {
        bar.update(Math.min(total, Math.max(0, done)), { beside })
        text.update(0, { below })
      },
    })
  } finally {
    process.off('exit', onExit)
    bars.stop()
  }
}
