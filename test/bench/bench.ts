/**
 * `npm run bench`, `npm run bench -- load`: what is claimed of speed and cost, measured against the other way in the same
 * run on the same machine. Prints a table of ratios and one of costs, and writes `bench.json`. BENCH_ROUNDS (5) says of
 * how many rounds each figure is the median, BENCH_SCALE (1) what part of the full size is measured.
 */
import { writeFile } from 'node:fs/promises'
import type { Findings } from './measure.ts'
import { findingsOf, type Row } from './rows.ts'

/** The claims, in the order of the table. */
const claims = new Map<string, () => Promise<Row[]>>([
  ['load', async () => (await import('./load.ts')).benchLoad()],
  ['end-to-end', async () => (await import('./end-to-end.ts')).benchBackfills()],
  ['zips', async () => (await import('./end-to-end.ts')).benchArchive()],
  ['live-minute', async () => (await import('./live-minute.ts')).benchLiveMinute()],
  ['queues', async () => (await import('./queues.ts')).benchQueues()],
])

/** Comparisons with tables of their own. */
const others = new Map<string, () => Promise<Findings>>([
  ['stages', async () => (await import('./stages.ts')).benchStages()],
  ['start', async () => (await import('./start.ts')).benchStart()],
  ['growth', async () => (await import('./growth.ts')).benchGrowth()],
  ['backfill', async () => (await import('./backfill.ts')).benchBackfill()],
  ['partitions', async () => (await import('./partitions.ts')).benchPartitions()],
  ['archiving', async () => (await import('./archive.ts')).benchArchive()],
  ['indexes', async () => (await import('./indexes.ts')).benchIndexes()],
  ['budget', async () => (await import('./budget.ts')).benchBudget()],
  ['page', async () => (await import('./page.ts')).benchPage()],
])

const benchMemory = async () => (await import('./memory.ts')).benchMemory()

async function findAll(names: readonly string[]): Promise<Findings> {
  const rows: Row[] = []
  for (const name of names) rows.push(...((await claims.get(name)?.()) ?? []))
  return findingsOf(rows, names.includes('memory') ? [await benchMemory()] : [])
}

const [name] = process.argv.slice(2)
const claimed = [...claims.keys(), 'memory']
const known = [...claimed, ...others.keys()]
if (name === undefined || known.includes(name)) {
  const other = name === undefined ? undefined : others.get(name)
  const { text, json } = other ? await other() : await findAll(name === undefined ? claimed : [name])
  process.stdout.write(`${text}\n`)
  await writeFile('bench.json', `${JSON.stringify(json, undefined, 2)}\n`)
} else {
  process.stderr.write(`there is no bench "${name}": name one of ${known.join(', ')}\n`)
  process.exitCode = 2
}
