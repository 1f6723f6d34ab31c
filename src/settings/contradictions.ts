import { day, hour } from '../market/instant.ts'
import { timeframes } from '../market/timeframe.ts'
import { durationText } from './duration.ts'
import { rowPolicyObjection } from './row-retention.ts'
import type { Configuration } from './schema.ts'

/** Valid settings that contradict each other. */
export type Contradiction = Readonly<{
  /** Of the first setting. */
  path: readonly string[]
  message: string
  /** Other settings involved, to choose the file shown. */
  others?: readonly (readonly string[])[]
}>

/** The sections of the configuration that could be read. */
export type Sections = Partial<Configuration>

type Check = (sections: Sections) => Contradiction[]

export const findContradictions = (sections: Sections): Contradiction[] =>
  checks.flatMap((check) => check(sections))

/** Yesterday's hours are summarized after midnight. */
const hoursForSummary = 2 * day

const connections: Check = ({ database }) =>
  database !== undefined && database.minConnections > database.maxConnections
    ? [
        {
          path: ['database', 'minConnections'],
          others: [['database', 'maxConnections']],
          message: `is ${database.minConnections}, more than maxConnections (${database.maxConnections})`,
        },
      ]
    : []

const lockTimeout: Check = ({ database }) =>
  database !== undefined && database.lockTimeout >= database.statementTimeout.answer
    ? [
        {
          path: ['database', 'lockTimeout'],
          others: [['database', 'statementTimeout', 'answer']],
          message: `is ${durationText(database.lockTimeout)}, not less than statementTimeout.answer (${durationText(database.statementTimeout.answer)}), which ends the wait before`,
        },
      ]
    : []

const history: Check = ({ timeframes: policies = {} }) =>
  timeframes.flatMap((name): Contradiction[] => {
    const policy = policies[name]
    if (policy?.keep === undefined || policy.history <= policy.keep) return []
    const path = ['timeframes', name]
    return [
      {
        path: [...path, 'history'],
        others: [[...path, 'keep']],
        message: `is ${durationText(policy.history)}, longer than keep (${durationText(policy.keep)}): retention would delete what is fetched; lower history or raise keep`,
      },
    ]
  })

/** The summary needs hourly candles. */
const summary: Check = ({ views = [], timeframes: policies }) => {
  if (policies === undefined || !views.includes('daily_price_summary')) return []
  const policy = policies['1h']
  const path = ['timeframes', '1h']
  const others = [['views'], [...path, 'keep']]
  if (policy === undefined)
    return [{ path, others, message: 'is missing: the view daily_price_summary is made of hourly candles' }]
  const kept = Math.min(policy.history, policy.keep ?? policy.history)
  return kept >= hoursForSummary
    ? []
    : [
        {
          path: [...path, 'history'],
          others,
          message: `is ${durationText(policy.history)}: the view daily_price_summary needs the hours of ${durationText(hoursForSummary)}; raise it, or leave the view out of views`,
        },
      ]
}

const absence: Check = ({ candles }) =>
  candles !== undefined && candles.absentAfter <= candles.settleDelay
    ? [
        {
          path: ['candles', 'absentAfter'],
          others: [['candles', 'settleDelay']],
          message: `is ${durationText(candles.absentAfter)}, not longer than settleDelay (${durationText(candles.settleDelay)}): a candle that comes late would be recorded as absent`,
        },
      ]
    : []

const prices: Check = ({ prices: policy }) => {
  if (policy?.keep === undefined) return []
  const leastMs = policy.then === 'roll-up' ? day : policy.every
  const why = policy.then === 'roll-up' ? 'a day is rolled up as a whole' : 'no price would outlive the next'
  return policy.keep >= leastMs
    ? []
    : [
        {
          path: ['prices', 'keep'],
          others: [
            ['prices', 'then'],
            ['prices', 'every'],
          ],
          message: `is ${durationText(policy.keep)}, shorter than ${durationText(leastMs)}: ${why}`,
        },
      ]
}

/** Missed runs are detected from runs: daily jobs need two days. */
const leastRunsMs = 2 * day

const rows: Check = ({ retention = {} }) =>
  Object.entries(retention).flatMap(([table, policy]): Contradiction[] => {
    const path = ['retention', table]
    const { keep } = policy
    const objection = rowPolicyObjection(table, policy)
    if (objection !== undefined) {
      const { key, message } = objection
      return [{ path: key === undefined ? path : [...path, key], message }]
    }
    if (table !== 'ingest_runs' || keep === undefined || keep >= leastRunsMs) return []
    return [
      {
        path: [...path, 'keep'],
        message: `is ${durationText(keep)}, shorter than ${durationText(leastRunsMs)}: which daily jobs have run is known from these rows`,
      },
    ]
  })

const monitoring: Check = ({ monitoring: figures }) =>
  figures !== undefined && figures.keep < hour
    ? [
        {
          path: ['monitoring', 'keep'],
          message: `is ${durationText(figures.keep)}, shorter than ${durationText(hour)}: alerts are about averages of a quarter of an hour and trends of days`,
        },
      ]
    : []

const checks: readonly Check[] = [
  connections,
  lockTimeout,
  history,
  summary,
  absence,
  prices,
  rows,
  monitoring,
]
