import { binanceFace } from './binance.ts'
import { binanceArchiveFace } from './binance-archive.ts'
import { bitfinexFace } from './bitfinex.ts'
import { bitstampFace } from './bitstamp.ts'
import { bybitFace } from './bybit.ts'
import { coinbaseFace } from './coinbase.ts'
import { coingeckoFace } from './coingecko.ts'
import { coinpaprikaFace } from './coinpaprika.ts'
import { cryptocomFace } from './cryptocom.ts'
import type { Face } from './face.ts'
import { gateioFace } from './gateio.ts'
import { htxFace } from './htx.ts'
import { krakenFace } from './kraken.ts'
import { kucoinFace } from './kucoin.ts'
import { mexcFace } from './mexc.ts'
import { okxFace } from './okx.ts'

/** Every source that the replay exchange speaks as. */
export const faces: readonly Face[] = [
  binanceFace,
  binanceArchiveFace,
  coinbaseFace,
  krakenFace,
  okxFace,
  bybitFace,
  kucoinFace,
  bitstampFace,
  bitfinexFace,
  gateioFace,
  cryptocomFace,
  htxFace,
  mexcFace,
  coingeckoFace,
  coinpaprikaFace,
]
