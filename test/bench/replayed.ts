import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { minute, plus } from '../../src/market/instant.ts'
import type { Range } from '../../src/market/range.ts'
import { packageDir } from '../../src/package-dir.ts'
import { markets } from '../../src/replay/markets.ts'
import { Releases } from '../../src/runtime/release.ts'
import { trackMarket } from '../../src/store/coins.ts'
import { inTransaction } from '../../src/store/transaction.ts'
import { benchStart, coinIdAt, reset, type Stage } from './stage.ts'

const program = fileURLToPath(new URL('dist/beacon.js', packageDir))

/** The variables that point to it. */
export type Replay = Readonly<Record<string, string>>

/** A replay exchange without limits, in a process of its own as a real one is. */
export async function onReplay<T>(work: (replay: Replay) => Promise<T>): Promise<T> {
  const releases = new Releases()
  const sources = ['--source', 'binance', 'binance-archive']
  const child = spawn(process.execPath, [program, 'replay', '--limits', 'none', ...sources], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  releases.push(async () => {
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  })
  try {
    const variables: Record<string, string> = {}
    for await (const line of createInterface({ input: child.stdout })) {
      const [name, url] = line.split('=')
      if (name !== undefined && url !== undefined) variables[name] = url
      if (Object.keys(variables).length === 2) break
    }
    return await work(variables)
  } finally {
    await releases.release()
  }
}

export const symbolAt = (place: number): string => markets[place % markets.length]?.symbol ?? 'BTCUSDT'

/** An empty history of so many coins, each followed on a replayed market. */
export async function resetTracked(stage: Stage, coins: number, range: Range): Promise<void> {
  await reset(stage, coins, range)
  for (let place = 0; place < coins; place += 1) {
    const market = { coinId: coinIdAt(place), source: 'binance', symbol: symbolAt(place) }
    await inTransaction(stage.pool, (tx) => trackMarket(tx, market, benchStart))
  }
}

export const minutesFrom = (start: typeof benchStart, count: number): Range => ({
  from: start,
  to: plus(start, count * minute),
})
