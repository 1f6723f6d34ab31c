/** `beacon-ingest/sources`: what to request from each exchange, how to read its answers, and a walk through a range of candles. */
export { type Budget, openBudget, unlimitedBudget } from '../http/budget.ts'
export { type HttpOptions, openHttpClient } from '../http/client.ts'
export type { HttpAnswer, HttpClient, HttpRequest, Lane, RateLimit, SendOptions } from '../http/request.ts'
export { systemClock } from '../runtime/clock.ts'
export type { Log } from '../runtime/log.ts'
export type { AnySourceId, SourceId } from '../settings/source-ids.ts'
export { askForListing } from '../sources/ask.ts'
export {
  candlesFrom,
  hasCandles,
  isAnySourceId,
  isSourceId,
  sourceNamed,
  sources,
} from '../sources/catalog.ts'
export type { ListedMarket } from '../sources/listing/listed-market.ts'
export {
  type CandleProvider,
  type CandleQuery,
  type CandleSource,
  type Source,
  type SourceRequest,
  toHttpRequest,
} from '../sources/source.ts'
export type { WalkDeps, WalkedPage } from '../sources/walk/walked-page.ts'
export { walkCandles } from '../sources/walk.ts'
