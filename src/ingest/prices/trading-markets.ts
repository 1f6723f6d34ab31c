import { Fault, Malformed } from '../../fault.ts'
import type { Context } from '../../runtime/context.ts'
import { joinSignals } from '../../runtime/joined-signal.ts'
import { askForListing } from '../../sources/ask.ts'
import type { PriceRequest, PricingSource } from './price-sources.ts'

type Deps = Pick<Context, 'http' | 'log' | 'settings' | 'clock' | 'signal'>

export type IsTrading = (market: string) => boolean

/**
 * Trading state of markets. Listings are read once, unless prices contain only trading markets; falls back to the last
 * stored state.
 */
export class TradingMarkets {
  readonly #deps: Deps
  readonly #listings = new Map<string, Promise<ReadonlySet<string> | undefined>>()
  requests = 0

  constructor(deps: Deps) {
    this.#deps = deps
  }

  async of({ source, halted }: PriceRequest): Promise<IsTrading> {
    if (source.prices.onlyTrading || source.listing === undefined) return () => true
    const listing = this.#listings.get(source.id) ?? this.#ask(source)
    this.#listings.set(source.id, listing)
    const trading = await listing
    return (market) => (trading === undefined ? !halted.has(market) : trading.has(market))
  }

  async #ask(source: PricingSource): Promise<ReadonlySet<string> | undefined> {
    const { http, log, settings, clock, signal } = this.#deps
    const deps = { http, baseUrls: settings.environment.baseUrls }
    const ending = joinSignals([signal], 2 * settings.http.timeout)
    this.requests += 1
    try {
      const options = { lane: 'live', signal: ending.signal } as const
      const listed = (await askForListing(deps, source, options)) ?? []
      if (listed.length === 0) throw new Malformed(`${source.id} lists no market at all`)
      const now = clock.now()
      const trading = listed.filter(
        (market) => market.trading && (market.delistedAt === undefined || market.delistedAt > now),
      )
      return new Set(trading.flatMap(({ symbol, alsoCalled = [] }) => [symbol, ...alsoCalled]))
    } catch (error) {
      if (!(error instanceof Fault) || signal.aborted) throw error
      log.warn('prices.listing-failed', { source: source.id, reason: error.message })
      return undefined
    } finally {
      ending.release()
    }
  }
}
