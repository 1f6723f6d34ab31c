import { type Instant, minute, toInstant } from '../market/instant.ts'
import type { Range } from '../market/range.ts'
import { floorTo } from '../market/timeframe.ts'

/** Binance's first candle; all markets start here. */
export const listedAt = floorTo('1h', toInstant(Date.UTC(2017, 7, 17, 4)))

/** Minutes since the listing; negative before. */
export const minuteNumber = (instant: Instant): number => Math.floor((instant - listedAt) / minute)

/** One coin, its names and recording. */
export type Market = Readonly<{
  symbol: string
  base: string
  quote: string
  coinId: string
  coinName: string
  image: string
  /** `max` null: unlimited. */
  supply: Readonly<{ circulating: number; total: number; max: number | null }>
  recording: string
  /** Decimals of prices (tick) and volumes (lot step). */
  priceDecimals: number
  volumeDecimals: number
  /** No trades: after one coin's end, before the next listing. */
  silent?: Range
}>

const images = 'https://coin-images.coingecko.com/coins/images'

export const markets: readonly Market[] = [
  {
    symbol: 'BTCUSDT',
    base: 'BTC',
    quote: 'USDT',
    coinId: 'bitcoin',
    coinName: 'Bitcoin',
    image: `${images}/1/large/bitcoin.png?1696501400`,
    supply: { circulating: 20_030_493, total: 20_030_843, max: 21_000_000 },
    recording: 'BTCUSDT-1h-2021-2023.csv.gz',
    priceDecimals: 2,
    volumeDecimals: 6,
  },
  {
    symbol: 'ETHUSDT',
    base: 'ETH',
    quote: 'USDT',
    coinId: 'ethereum',
    coinName: 'Ethereum',
    image: `${images}/279/large/ethereum.png?1696501628`,
    supply: { circulating: 120_690_212, total: 120_690_212, max: null },
    recording: 'ETHUSDT-4h-2017-2026.csv.gz',
    priceDecimals: 2,
    volumeDecimals: 5,
  },
  {
    symbol: 'XRPUSDT',
    base: 'XRP',
    quote: 'USDT',
    coinId: 'ripple',
    coinName: 'XRP',
    image: `${images}/44/large/xrp-symbol-white-128.png?1696501442`,
    supply: { circulating: 59_418_504_231, total: 99_985_863_217, max: 100_000_000_000 },
    recording: 'XRPUSD-1m-2017-12.csv.gz',
    priceDecimals: 8,
    volumeDecimals: 8,
  },
  {
    symbol: 'DOGEUSDT',
    base: 'DOGE',
    quote: 'USDT',
    coinId: 'dogecoin',
    coinName: 'Dogecoin',
    image: `${images}/5/large/dogecoin.png?1696501409`,
    supply: { circulating: 149_524_736_384, total: 149_524_736_384, max: null },
    recording: 'DOGEUSDT-1h-2021-2023.csv.gz',
    priceDecimals: 7,
    volumeDecimals: 1,
  },
  {
    symbol: 'SHIBUSDT',
    base: 'SHIB',
    quote: 'USDT',
    coinId: 'shiba-inu',
    coinName: 'Shiba Inu',
    image: `${images}/11939/large/shiba.png?1696511800`,
    supply: { circulating: 589_245_723_120_439, total: 589_500_423_120_439, max: null },
    recording: 'SHIBUSDT-1m-2021-11.csv.gz',
    priceDecimals: 8,
    volumeDecimals: 0,
  },
  {
    symbol: 'PEPEUSDT',
    base: 'PEPE',
    quote: 'USDT',
    coinId: 'pepe',
    coinName: 'Pepe',
    image: `${images}/29850/large/pepe-token.jpeg?1696528776`,
    supply: { circulating: 420_690_000_000_000, total: 420_690_000_000_000, max: 420_690_000_000_000 },
    recording: 'PEPEUSDT-15m-2023.csv.gz',
    priceDecimals: 8,
    volumeDecimals: 0,
  },
]

/** Binance only: a Chinese symbol, as since 2025. */
const onBinanceAlone: Market = {
  symbol: '币安人生USDT',
  base: '币安人生',
  quote: 'USDT',
  coinId: 'bi-an-ren-sheng',
  coinName: '币安人生',
  image: `${images}/0/large/bi-an-ren-sheng.png`,
  supply: { circulating: 1_000_000_000, total: 1_000_000_000, max: 1_000_000_000 },
  recording: 'PEPEUSDT-15m-2023.csv.gz',
  priceDecimals: 8,
  volumeDecimals: 0,
}

export const binanceMarkets: readonly Market[] = [...markets, onBinanceAlone]

/** Exact spelling. */
export const findMarket = (symbol: string): Market | undefined =>
  binanceMarkets.find((market) => market.symbol === symbol)
