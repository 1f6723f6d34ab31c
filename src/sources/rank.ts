import { isLosslessNumber } from 'lossless-json'

/** A rank by market cap is a small whole number from 1 on; what is not one is not known. */
export function readRank(value: unknown): number | undefined {
  const rank = isLosslessNumber(value) ? Number(value.value) : undefined
  return rank !== undefined && Number.isInteger(rank) && rank > 0 && rank < 1e6 ? rank : undefined
}
