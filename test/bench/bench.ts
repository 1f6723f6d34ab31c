/**
 * `npm run bench`, `npm run bench -- indexes`: what is claimed of speed and cost, measured against the other way in the same
 * run on the same machine. Prints one table and writes `bench.json`. BENCH_ROUNDS (5) says of how many rounds each figure is
 * the median.
 */
import { writeFile } from 'node:fs/promises'
import { benchBackfill } from './backfill.ts'
import { benchBudget } from './budget.ts'
import { benchIndexes } from './indexes.ts'
import type { Findings } from './measure.ts'

const benches = new Map<string, () => Promise<Findings>>([
  ['backfill', benchBackfill],
  ['indexes', benchIndexes],
  ['budget', benchBudget],
])

const [name = 'backfill'] = process.argv.slice(2)
const bench = benches.get(name)
if (bench) {
  const { text, json } = await bench()
  process.stdout.write(`${text}\n`)
  await writeFile('bench.json', `${JSON.stringify(json, undefined, 2)}\n`)
} else {
  process.stderr.write(`there is no bench "${name}": name one of ${[...benches.keys()].join(', ')}\n`)
  process.exitCode = 2
}
