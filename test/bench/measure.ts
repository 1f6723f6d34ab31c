import { second } from '../../src/market/instant.ts'
import type { ServerTime } from './server-time.ts'

/** What a bench has found: a table for the terminal, and the same for a program. */
export type Findings = Readonly<{ text: string; json: object }>

/** Of how many rounds each figure is the median. */
export const rounds = Number(process.env.BENCH_ROUNDS ?? 5)

/** What part of the full size is measured: 0.1 for a quick look. */
export const scale = Number(process.env.BENCH_SCALE ?? 1)

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

/** How long the work takes. */
export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return (performance.now() - startedAt) / second
}

/** What one measured piece of work took: wall clock, and the CPU of this process and of the database server. */
export type Cost = Readonly<{ seconds: number; ourCpuSeconds: number; serverCpuSeconds: number }>

/** Does the work and takes its cost. */
export async function costOf(server: ServerTime, work: () => Promise<unknown>): Promise<Cost> {
  const serverBefore = await server.cpuSeconds()
  const before = process.cpuUsage()
  const took = await seconds(work)
  const { user, system } = process.cpuUsage(before)
  const serverAfter = await server.cpuSeconds()
  return {
    seconds: took,
    ourCpuSeconds: (user + system) / 1e6,
    serverCpuSeconds: serverAfter - serverBefore,
  }
}

/** The median of each figure by itself. */
export const medianCost = (costs: readonly Cost[]): Cost => ({
  seconds: median(costs.map((cost) => cost.seconds)),
  ourCpuSeconds: median(costs.map((cost) => cost.ourCpuSeconds)),
  serverCpuSeconds: median(costs.map((cost) => cost.serverCpuSeconds)),
})
