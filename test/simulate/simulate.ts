/** `npm run simulate -- --days 365 --seed 1`: lets days pass in minutes, and reports what is not as it must be afterwards. */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { simulate } from './run.ts'

const { values } = parseArgs({ options: { days: { type: 'string' }, seed: { type: 'string' } } })
const days = Number(values.days ?? 30)
const seed = Number(values.seed ?? randomInt(2 ** 31))
if (!Number.isInteger(days) || days < 1 || !Number.isInteger(seed)) {
  process.stderr.write('error: --days and --seed are whole numbers: npm run simulate -- --days 30 --seed 1\n')
  process.exit(2)
}
process.stdout.write(`again: npm run simulate -- --days ${days} --seed ${seed}\n`)
const stop = new AbortController()
process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort())
const onDay = (day: number) => {
  if (day % 10 === 0) process.stdout.write(`day ${day} of ${days}\n`)
}
const { simulated, wrong } = await simulate(days, seed, { onDay, signal: stop.signal })
for (const { day, hour, what } of simulated.happenings)
  process.stdout.write(`day ${day}, ${hour}:30: ${Object.values(what).join(' ')}\n`)
process.stdout.write(`${simulated.jobs} jobs in ${days} days, ${Math.round(process.uptime())} s\n`)
for (const line of wrong) process.stderr.write(`wrong: ${line}\n`)
process.stdout.write(
  wrong.length === 0 ? 'Everything is as it must be.\n' : `${wrong.length} things are wrong.\n`,
)
process.exitCode = wrong.length === 0 ? 0 : 1
