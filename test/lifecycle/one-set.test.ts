import { randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, test } from 'vitest'
import { minute } from '../../src/market/instant.ts'
import { floorTo } from '../../src/market/timeframe.ts'
import { readSettings } from '../../src/settings.ts'
import { aBatch, aCandle, aCoin, load } from '../store/loading.ts'
import { plus } from '../support/at.ts'
import { createTestDatabase, servers } from '../support/database.ts'
import { expectSame, expectSound, now, type World } from './rows-model.ts'
import { carryOut, operation } from './rows-operations.ts'

const runs = Number(process.env.PROPERTY_RUNS ?? 3)
const seed = Number(process.env.PROPERTY_SEED ?? randomInt(2 ** 31))

describe.each(servers)('live, archived and restored rows on $server', ({ clusterUrl }) => {
  test('are one set, whatever happens to them', { timeout: 120_000 * runs }, async () => {
    process.stderr.write(`again with the same operations: PROPERTY_SEED=${seed} PROPERTY_RUNS=${runs}\n`)
    await fc.assert(
      fc.asyncProperty(
        fc.array(operation, { minLength: 6, maxLength: 14, size: 'max' }),
        async (operations) => {
          const { pool, drop } = await createTestDatabase(clusterUrl)
          const folder = await mkdtemp(join(tmpdir(), 'beacon-set-'))
          try {
            const settings = readSettings({ BEACON_DATA_DIR: folder })
            const coins = [await aCoin(pool), await aCoin(pool)]
            const world: World = { pool, settings, model: new Map(), coins }
            await loadFreshCandle(world)
            for (const one of operations) {
              await carryOut(world, one)
              await expectSame(world)
            }
            await expectSound(world)
          } finally {
            await drop()
            await rm(folder, { recursive: true, force: true })
          }
        },
      ),
      { numRuns: runs, seed },
    )
  })
})

/** Retention deletes nothing where the newest candle is more than a day old. */
async function loadFreshCandle({ pool, coins: [coinId = ''] }: World): Promise<void> {
  const openTime = plus(floorTo('1m', now), -2 * minute)
  await load(pool, aBatch({ coinId, timeframe: '1m', source: 'binance' }, [aCandle(openTime)]))
}
