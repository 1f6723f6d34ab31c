import type { CoinPrice } from '../../market/coin-price.ts'
import type { CheckedPrice } from '../../market/coin-price-check.ts'
import type { PriceRequest } from './price-sources.ts'

type Origin = Readonly<{ source: string; market: string; coinId: string }>

export type PriceAnswer = Origin & Readonly<{ raw: unknown; price: CoinPrice }>

export type RejectedAnswer = Omit<Origin, 'coinId'> &
  Readonly<{ coinId: string | undefined; raw: unknown; reason: string }>

/** `absent`: no row. */
export type CoinAnswer =
  | (Readonly<{ kind: 'accepted' }> & PriceAnswer)
  | (Readonly<{ kind: 'no-price' | 'absent'; why: string }> & Origin)
  | (Readonly<{ kind: 'rejected' }> & RejectedAnswer)

type Originating = (market: string) => readonly Origin[]

/** Rows by coin, and coins without a row. */
export function coinAnswersOf(
  { source, coinIdsOf }: PriceRequest,
  markets: readonly string[],
  rows: readonly CheckedPrice[],
): CoinAnswer[] {
  const originsOf: Originating = (market) =>
    (coinIdsOf.get(market) ?? []).map((coinId) => ({ source: source.id, market, coinId }))
  const answered = new Set(rows.map(marketOf))
  const why = source.prices.onlyTrading ? 'it is not trading' : 'it is not in the answer'
  return [
    ...rows.flatMap((row) => answersOf(source.id, row, originsOf)),
    ...absentAnswers(
      markets.filter((market) => !answered.has(market)),
      why,
      originsOf,
    ),
  ]
}

export const absentAnswers = (
  markets: readonly string[],
  why: string,
  originsOf: Originating,
): CoinAnswer[] =>
  markets.flatMap((market) => originsOf(market).map((origin) => ({ ...origin, kind: 'absent', why })))

const marketOf = (row: CheckedPrice): string | undefined =>
  row.kind === 'accepted' ? row.price.market : row.market

function answersOf(source: string, row: CheckedPrice, originsOf: Originating): CoinAnswer[] {
  const { raw } = row
  const market = marketOf(row)
  if (row.kind === 'rejected') {
    const { kind, reason } = row
    const origins = market === undefined ? [{ source, market: '', coinId: undefined }] : originsOf(market)
    return origins.map((origin) => ({ ...origin, kind, raw, reason }))
  }
  return originsOf(market ?? '').map((origin) =>
    row.kind === 'accepted'
      ? { ...origin, kind: row.kind, raw, price: row.price }
      : { ...origin, kind: row.kind, why: row.why },
  )
}
