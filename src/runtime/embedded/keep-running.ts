import { setTimeout as wait } from 'node:timers/promises'
import { minute, second } from '../../market/instant.ts'
import type { Log } from '../log.ts'
import { dataDirOf, type Home } from './home.ts'
import { inTurn } from './marks.ts'
import { findPostmaster } from './postmaster.ts'
import { startServer } from './server.ts'

export type Keeper = Readonly<{
  /** Undefined while it runs. */
  whyDown(): string | undefined
  stop(): Promise<void>
}>

const checkEveryMs = 2 * second

/** Each start replays the write-ahead log, and a full disk stays full for a while. */
const longestPauseMs = 20 * second
const quietMs = minute

/** Restarts the server on its port after it ended, in one process at a time. */
export function keepRunning(home: Home, turns: string, port: number, log: Log): Keeper {
  const stop = new AbortController()
  let reason: string | undefined
  let pauseMs = checkEveryMs
  let reportedAt = Number.NEGATIVE_INFINITY
  const report = (text: string) => {
    if (performance.now() - reportedAt < quietMs) return
    reportedAt = performance.now()
    log.warn('embedded.not-started', { reason: text })
  }
  const check = async (): Promise<void> => {
    if ((await findPostmaster(dataDirOf(home.folder))) !== undefined) {
      reason = undefined
      pauseMs = checkEveryMs
      return
    }
    try {
      await inTurn(turns, async () => {
        if (stop.signal.aborted || (await findPostmaster(dataDirOf(home.folder))) !== undefined) return
        await startServer(home, port)
        log.warn('embedded.restarted', { dataDir: home.folder })
      })
      reason = undefined
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error)
      report(text)
      reason = text
      pauseMs = Math.min(2 * pauseMs, longestPauseMs)
    }
  }
  const checking = (async () => {
    while (!stop.signal.aborted) {
      // Aborted: the loop ends.
      await wait(pauseMs, undefined, { signal: stop.signal, ref: false }).catch(() => undefined)
      if (!stop.signal.aborted) await check()
    }
  })()
  return {
    whyDown: () => reason,
    stop: async () => {
      stop.abort()
      await checking
    },
  }
}
