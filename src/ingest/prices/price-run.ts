import type { Decimal } from '../../market/decimal.ts'
import { type Instant, plus } from '../../market/instant.ts'
import { agree, confirmedOf, nearestTo } from '../../market/price-agreement.ts'
import type { CoinAnswer, PriceAnswer, RejectedAnswer } from './coin-answers.ts'
import { nextPriceRequests, type PriceMarket, type PriceRequest } from './price-sources.ts'

export type WantedPrice = Readonly<{
  coinId: string
  markets: readonly PriceMarket[]
  last: Decimal | undefined
  /** Time of `last`, or start of tracking. */
  withoutPriceSince: Instant
}>

/** What to store. */
export type Decisions = Readonly<{ stored: readonly PriceAnswer[]; rejected: readonly RejectedAnswer[] }>

const nothing: Decisions = { stored: [], rejected: [] }

const joined = (decisions: readonly Decisions[]): Decisions => ({
  stored: decisions.flatMap(({ stored }) => stored),
  rejected: decisions.flatMap(({ rejected }) => rejected),
})

/** A coin without a price yet. */
type OpenCoin = Readonly<{
  wanted: WantedPrice
  /** Unconfirmed prices, in source order. */
  answers: PriceAnswer[]
  whys: string[]
}> & { left: readonly PriceMarket[]; secondOpinions: number }

/** A first price needs confirmation by other sources. */
const secondOpinions = 2

/**
 * Chooses each coin's price: one that agrees with the last stored price or another source; else the next source is
 * requested.
 */
export class PriceRun {
  readonly #open: Map<string, OpenCoin>
  readonly priced: Record<string, number> = {}
  readonly counts = { received: 0, withoutPrice: 0, quarantined: 0, confirming: 0 }

  constructor(wanted: readonly WantedPrice[]) {
    this.#open = new Map(
      wanted.map((one) => [
        one.coinId,
        { wanted: one, answers: [], whys: [], left: one.markets, secondOpinions },
      ]),
    )
  }

  nextPriceRequests(): PriceRequest[] {
    const asking = [...this.#open.values()].filter(
      ({ wanted, answers, secondOpinions: left }) =>
        answers.length === 0 || wanted.last !== undefined || left > 0,
    )
    const priceRequests = nextPriceRequests(new Map(asking.map(({ wanted, left }) => [wanted.coinId, left])))
    for (const coin of asking) {
      coin.left = coin.left.slice(1)
      if (coin.answers.length > 0) coin.secondOpinions -= 1
    }
    return priceRequests
  }

  /** Processes a source's answers. */
  take(answers: readonly CoinAnswer[]): Decisions {
    const decided = answers.map((answer): Decisions => {
      const coin = answer.coinId === undefined ? undefined : this.#open.get(answer.coinId)
      if (answer.kind !== 'absent') this.counts.received += 1
      if (answer.kind === 'no-price') this.counts.withoutPrice += 1
      if (answer.kind === 'accepted' && coin) return this.#compare(coin, answer)
      if (answer.kind === 'accepted') this.counts.confirming += 1
      else coin?.whys.push(`${answer.source}: ${answer.kind === 'rejected' ? answer.reason : answer.why}`)
      return answer.kind === 'rejected' ? { stored: [], rejected: [answer] } : nothing
    })
    return this.#counted(joined(decided))
  }

  fail({ source, coinIdsOf }: PriceRequest, message: string): void {
    for (const coinId of [...coinIdsOf.values()].flat())
      this.#open.get(coinId)?.whys.push(`${source.id}: ${message}`)
    for (const coin of this.#open.values())
      coin.left = coin.left.filter((market) => market.source.id !== source.id)
  }

  /** Stores uncontradicted prices, and the best one of coins without a price for too long; rejects the rest. */
  finish(now: Instant, staleAfterMs: number): Decisions {
    const decided = [...this.#open.values()].map((coin): Decisions => {
      const [best] = coin.answers
      if (best === undefined) return nothing
      const isOverdue = coin.wanted.withoutPriceSince <= plus(now, -staleAfterMs)
      if (isOverdue || othersThan(best, coin).length === 0) return this.#close(coin, best, [])
      const rejected = coin.answers.map((answer) => rejection(answer, coin))
      coin.whys.push(...rejected.map(({ source, reason }) => `${source}: ${reason}`))
      return { stored: [], rejected }
    })
    return this.#counted(joined(decided))
  }

  get unpriced(): Record<string, string> {
    return Object.fromEntries(
      [...this.#open].map(([coinId, { whys }]) => [coinId, whys.join('; ') || 'no source has it']),
    )
  }

  #compare(coin: OpenCoin, answer: PriceAnswer): Decisions {
    coin.answers.push(answer)
    const confirmed = confirmedOf(coin.answers, coin.wanted.last)
    const [best] = confirmed
    return best === undefined ? nothing : this.#close(coin, best, confirmed)
  }

  /** Rejects answers that disagree with the best. */
  #close(coin: OpenCoin, best: PriceAnswer, confirmed: readonly PriceAnswer[]): Decisions {
    const far = coin.answers.filter(
      (answer) => !confirmed.includes(answer) && !agree(answer.price.price, best.price.price),
    )
    this.#open.delete(best.coinId)
    this.priced[best.source] = (this.priced[best.source] ?? 0) + 1
    this.counts.confirming += coin.answers.length - 1 - far.length
    return { stored: [best], rejected: far.map((answer) => rejection(answer, coin)) }
  }

  #counted(decisions: Decisions): Decisions {
    this.counts.quarantined += decisions.rejected.length
    return decisions
  }
}

const othersThan = ({ source }: PriceAnswer, { wanted: { last }, answers }: OpenCoin): Decimal[] => [
  ...(last === undefined ? [] : [last]),
  ...answers.flatMap((other) => (other.source === source ? [] : [other.price.price])),
]

function rejection(answer: PriceAnswer, coin: OpenCoin): RejectedAnswer {
  const { source, market, coinId, raw, price } = answer
  const nearest = nearestTo(price.price, othersThan(answer, coin))
  const reason = `price ${price.price} is a factor of 10 or more away from ${nearest}`
  return { source, market, coinId, raw, reason }
}
