import { second } from '../../src/market/instant.ts'

/** What a bench has found: a table for the terminal, and the same for a program. */
export type Findings = Readonly<{ text: string; json: object }>

export const rounds = Number(process.env.BENCH_ROUNDS ?? 5)

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

/** How long the work takes. */
export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return (performance.now() - startedAt) / second
}
