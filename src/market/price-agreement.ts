import { compareDecimals, type Decimal, toDecimal } from './decimal.ts'

const tenfold = (price: Decimal): Decimal => toDecimal(`${price}e1`)

/** Whether two prices of one coin are less than a factor of 10 apart. */
export const agree = (a: Decimal, b: Decimal): boolean =>
  compareDecimals(a, tenfold(b)) < 0 && compareDecimals(b, tenfold(a)) < 0

/** A price that a source answered. */
type Answered = Readonly<{ source: string; price: Readonly<{ price: Decimal }> }>

/** Those of the answers that agree with the last stored price; where none does, those that agree with another source. */
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

/** The other price with the smallest ratio to this one. */
export function nearestTo(price: Decimal, others: readonly Decimal[]): Decimal | undefined {
  const distance = (other: Decimal) => Math.abs(Math.log(Number(other) / Number(price)))
  return others.toSorted((a, b) => distance(a) - distance(b))[0]
}
