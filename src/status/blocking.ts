import { toIso } from '../market/instant.ts'
import { type BlockingSession, blockingMessage } from '../store/figures/blocking-sessions.ts'
import { attention, type Finding } from './finding.ts'

export type BlockingStatus = Readonly<{
  pid: number
  user: string
  application: string
  query: string | null
  since: string | null
  waitingSessions: number
  waitedSeconds: number
  remedy: string
  message: string
}>

export const describeBlocking = (session: BlockingSession): BlockingStatus => ({
  pid: session.pid,
  user: session.user,
  application: session.application,
  query: session.query,
  since: session.since === null ? null : toIso(session.since),
  waitingSessions: session.waiting,
  waitedSeconds: Math.floor(session.waitedMs / 1_000),
  remedy: session.remedy,
  message: blockingMessage(session),
})

export const blockingFindings = (blocking: readonly BlockingStatus[]): Finding[] =>
  blocking.map(({ pid, message }) => attention(`database.blocked ${pid}`, message))
