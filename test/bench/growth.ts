/** How a load grows with the number of coins that it is spread over, and with the number of partitions there are. */
import { countText } from '../../src/cli/terminal/output.ts'
import { table } from '../../src/cli/terminal/table.ts'
import { day, plus } from '../../src/market/instant.ts'
import { ensurePartitions } from '../../src/store/partitions/create-partitions.ts'
import { candleTable, partitionsOf } from '../../src/store/partitions.ts'
import { loadAll } from './load.ts'
import { type Findings, median, rounds, scale, seconds } from './measure.ts'
import { candlesIn, type Extent, extentRange, inTimeOrder, rawPages } from './raw-pages.ts'
import { benchStart, onStage, reset, type Stage } from './stage.ts'

const candles = Math.round(200_000 * scale)

/** The same number of candles, of ever more coins. */
const spread = [10, 100, 1_000].map((coins): Extent => {
  const rowsPerPage = Math.min(1_000, Math.round(candles / coins))
  return { coins, rowsPerPage, pages: Math.round(candles / coins / rowsPerPage) }
})

const partitionCounts = [1, 10, 100, 1_000]

type Point = Readonly<{ what: string; perSecond: number; againPerSecond: number }>

export async function benchGrowth(): Promise<Findings> {
  const points = await onStage(async (stage) => {
    const byCoins: Point[] = []
    for (const extent of spread) byCoins.push(await measure(stage, `${extent.coins} coins`, extent, 0))
    const byPartitions: Point[] = []
    const extent = { coins: Math.round(candles / 1_000), pages: 1 }
    for (const count of partitionCounts)
      byPartitions.push(await measure(stage, `${count} partitions, one of them written to`, extent, count))
    return [...byCoins, ...byPartitions]
  })
  return {
    text: table(points, [
      { title: `${countText(candles)} candles`, of: ({ what }) => what },
      { title: 'new ones a second', of: ({ perSecond }) => countText(Math.round(perSecond)), align: 'right' },
      {
        title: 'equal ones',
        of: ({ againPerSecond }) => countText(Math.round(againPerSecond)),
        align: 'right',
      },
    ]),
    json: { rounds, candles, points },
  }
}

async function measure(stage: Stage, what: string, extent: Extent, partitions: number): Promise<Point> {
  const pages = inTimeOrder(rawPages(extent))
  const [fresh, again]: [number[], number[]] = [[], []]
  await makePartitions(stage, partitions)
  for (let round = 0; round < rounds; round += 1) {
    await reset(stage, extent.coins, extentRange(extent))
    fresh.push(await seconds(() => loadAll(stage, pages)))
    again.push(await seconds(() => loadAll(stage, pages)))
  }
  const count = candlesIn(extent)
  return { what, perSecond: count / median(fresh), againPerSecond: count / median(again) }
}

/** So many in all, the one that is written to included; the others come after it. */
async function makePartitions({ pool, deps: { settings } }: Stage, count: number): Promise<void> {
  const partitions = candleTable('1m', 'day')
  const range = { from: benchStart, to: plus(benchStart, count * day) }
  await ensurePartitions(pool, partitions, partitionsOf(partitions, range), settings.database.lockTimeout)
}
