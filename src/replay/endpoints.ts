import type { Endpoint } from './endpoint.ts'
import { binanceEndpoint } from './endpoints/binance.ts'
import { binanceArchiveEndpoint } from './endpoints/binance-archive.ts'
import { bitfinexEndpoint } from './endpoints/bitfinex.ts'
import { bitstampEndpoint } from './endpoints/bitstamp.ts'
import { bybitEndpoint } from './endpoints/bybit.ts'
import { coinbaseEndpoint } from './endpoints/coinbase.ts'
import { coingeckoEndpoint } from './endpoints/coingecko.ts'
import { coinpaprikaEndpoint } from './endpoints/coinpaprika.ts'
import { cryptocomEndpoint } from './endpoints/cryptocom.ts'
import { gateioEndpoint } from './endpoints/gateio.ts'
import { htxEndpoint } from './endpoints/htx.ts'
import { krakenEndpoint } from './endpoints/kraken.ts'
import { kucoinEndpoint } from './endpoints/kucoin.ts'
import { mexcEndpoint } from './endpoints/mexc.ts'
import { okxEndpoint } from './endpoints/okx.ts'

/** All replayed sources. */
export const endpoints: readonly Endpoint[] = [
  binanceEndpoint,
  binanceArchiveEndpoint,
  coinbaseEndpoint,
  krakenEndpoint,
  okxEndpoint,
  bybitEndpoint,
  kucoinEndpoint,
  bitstampEndpoint,
  bitfinexEndpoint,
  gateioEndpoint,
  cryptocomEndpoint,
  htxEndpoint,
  mexcEndpoint,
  coingeckoEndpoint,
  coinpaprikaEndpoint,
]
