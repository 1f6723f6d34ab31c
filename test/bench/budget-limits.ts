import { binance } from '../../src/sources/binance.ts'
import { bybit } from '../../src/sources/bybit.ts'
import { gateio } from '../../src/sources/gateio.ts'
import { okx } from '../../src/sources/okx.ts'
import type { CandleSource } from '../../src/sources/source.ts'

const sources: readonly CandleSource[] = [binance, gateio, bybit, okx]

/** Windows from two seconds to a minute, and weights of one point and two. */
export const asked = sources.map(({ id, rateLimits, candles }) => ({
  source: id,
  rateLimits,
  weight: candles.weight,
}))

export const share = 0.8
