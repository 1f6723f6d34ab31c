/**
 * `npm run soak -- --minutes 10`: a daemon on each queue engine under steady work, with what it takes over time. Fails where
 * something grows.
 */
import { parseArgs } from 'node:util'
import { engineNames, type SoakEngine, soak } from './run.ts'
import { type Growth, growthOf, type Sample } from './samples.ts'

const { values } = parseArgs({ options: { minutes: { type: 'string' } } })
const minutes = Number(values.minutes ?? 60)
if (!(minutes > 0)) {
  process.stderr.write('error: --minutes is a number above 0: npm run soak -- --minutes 10\n')
  process.exit(2)
}

const columns = (cells: readonly (string | number)[]): string =>
  cells.map((cell) => String(cell).padStart(12)).join('')

function printSample(engine: SoakEngine, sample: Sample): void {
  const { minute, memoryMb, handles, connections, queued, deadRows, tablesMb } = sample
  const numbers = [memoryMb.toFixed(0), handles, connections, queued, deadRows, tablesMb.toFixed(1)]
  process.stdout.write(`${columns([engine, minute.toFixed(1), ...numbers])}\n`)
}

function printGrowth(engine: SoakEngine, { title, middle, end, grows }: Growth): void {
  const text = `${title}: ${middle.toFixed(1)} in the middle, ${end.toFixed(1)} at the end`
  process.stdout.write(`${engine}: ${text}${grows ? ' — grows' : ''}\n`)
}

process.stdout.write(
  `${columns(['queue on', 'minute', 'memory MB', 'files', 'connections', 'queued', 'dead rows', 'tables MB'])}\n`,
)
const all = await Promise.all(
  (await engineNames()).map(async (engine) => {
    const samples = await soak(engine, minutes, (sample) => printSample(engine, sample))
    return { engine, growth: growthOf(samples) }
  }),
)
for (const { engine, growth } of all) for (const one of growth) printGrowth(engine, one)
process.exitCode = all.some(({ growth }) => growth.some(({ grows }) => grows)) ? 1 : 0
