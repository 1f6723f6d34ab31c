import { compareDecimals, type Decimal, toDecimal } from './decimal.ts'

const tenfold = (price: Decimal): Decimal => toDecimal(`${price}e1`)

/** Within a factor of 10. */
export const agree = (a: Decimal, b: Decimal): boolean =>
  compareDecimals(a, tenfold(b)) < 0 && compareDecimals(b, tenfold(a)) < 0

type Answered = Readonly<{ source: string; price: Readonly<{ price: Decimal }> }>

/** Answers that agree with the last stored price, else with another source. */
export function confirmedOf<Answer extends Answered>(
  answers: readonly Answer[],
  lastStored: Decimal | undefined,
): readonly Answer[] {
  const asBefore = answers.filter(({ price }) => lastStored !== undefined && agree(price.price, lastStored))
  if (asBefore.length > 0) return asBefore
  return answers.filter(({ source, price }) =>
    answers.some((other) => other.source !== source && agree(price.price, other.price.price)),
  )
}

/** Smallest ratio. */
export function nearestTo(price: Decimal, others: readonly Decimal[]): Decimal | undefined {
  const distance = (other: Decimal) => Math.abs(Math.log(Number(other) / Number(price)))
  return others.toSorted((a, b) => distance(a) - distance(b))[0]
}
