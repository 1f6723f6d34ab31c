import { binanceEndpoint } from './binance.ts'
import { binanceArchiveEndpoint } from './binance-archive.ts'
import { bitfinexEndpoint } from './bitfinex.ts'
import { bitstampEndpoint } from './bitstamp.ts'
import { bybitEndpoint } from './bybit.ts'
import { coinbaseEndpoint } from './coinbase.ts'
import { coingeckoEndpoint } from './coingecko.ts'
import { coinpaprikaEndpoint } from './coinpaprika.ts'
import { cryptocomEndpoint } from './cryptocom.ts'
import type { Endpoint } from './endpoint.ts'
import { gateioEndpoint } from './gateio.ts'
import { htxEndpoint } from './htx.ts'
import { krakenEndpoint } from './kraken.ts'
import { kucoinEndpoint } from './kucoin.ts'
import { mexcEndpoint } from './mexc.ts'
import { okxEndpoint } from './okx.ts'

/** Every source that the replay exchange speaks as. */
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
