/** How much memory a backfill of ten million candles takes, by a process that does nothing else. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { z } from 'zod'
import { scriptFile } from '../support/scripts.ts'
import { scale } from './measure.ts'
import { minutesFrom, onReplay, resetTracked } from './replayed.ts'
import { benchStart, onStage } from './stage.ts'

export const memoryExtent = { coins: 50, range: minutesFrom(benchStart, Math.round(200_000 * scale)) }

export const mostMegabytes = 250

export type Memory = Readonly<{
  candles: number
  megabytes: number
  cpuSeconds: number
  seconds: number
  isMet: boolean
}>

const reported = z.object({
  candles: z.number(),
  mostKilobytes: z.number(),
  cpuSeconds: z.number(),
  seconds: z.number(),
})

export const benchMemory = (): Promise<Memory> =>
  onReplay((replay) =>
    onStage(async (stage) => {
      await resetTracked(stage, memoryExtent.coins, memoryExtent.range)
      const env = { ...process.env, ...replay, BENCH_DATABASE_URL: stage.url }
      const { stdout } = await promisify(execFile)(process.execPath, [scriptFile('bench/memory-process')], {
        env,
      })
      const { mostKilobytes, ...rest } = reported.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''))
      const megabytes = mostKilobytes / 1_024
      return { ...rest, megabytes, isMet: megabytes < mostMegabytes }
    }),
  )
