import { commandLine } from '../command-line.ts'
import { isUnreachableText } from '../http/reachability.ts'
import type { HoldStatus } from '../lifecycle/describe-retention.ts'
import { type Instant, minute, second } from '../market/instant.ts'
import type { Settings } from '../settings.ts'
import { blockingFindings } from './blocking.ts'
import { type FailingJobStatus, failureMessage, workName } from './failures.ts'
import { attention, catchingUp, type Finding, note, type OverallState, pathOf } from './finding.ts'
import { readinessFindings } from './readiness/findings.ts'
import type { StatusFacts } from './status-facts.ts'
import { isUsedBy, unreachableFindings } from './unreachable.ts'
import { counted, lengthInWords } from './words.ts'

export type Overall = Readonly<{
  state: OverallState
  /** Main message. */
  message: string
  /** Gravest first. */
  others: readonly string[]
  /** Gravest first. */
  findings: readonly FindingStatus[]
}>

type FindingStatus = Finding &
  Readonly<{
    /** Null if just found. */
    since: string | null
    /** Section of the page. */
    path: string
  }>

/** Startup and new coins may take this long. */
const settlingMs = 10 * minute

/** The gravest finding decides state and message. */
export function evaluate(facts: StatusFacts, settings: Settings, now: Instant): Overall {
  const found = findingsOf(facts, settings, now)
  const findings = [...found, ...ofAlerts(facts, found)].toSorted(byGravity)
  const [gravest, ...others] = findings
  if (!gravest) return { state: 'ok', message: whenAllIsWell(facts), others: [], findings: [] }
  const { state, message } = gravest
  const notes = others.map((other) => other.message)
  const described = findings.map((finding) => describeFinding(finding, facts))
  return state === 'note'
    ? { state: 'ok', message: whenAllIsWell(facts), others: [message, ...notes], findings: described }
    : { state, message, others: notes, findings: described }
}

const describeFinding = (finding: Finding, { alerts }: StatusFacts): FindingStatus => ({
  ...finding,
  since:
    finding.details?.firstAt ??
    alerts.find(({ key, resolvedAt }) => key === finding.key && resolvedAt === null)?.openedAt ??
    null,
  path: pathOf(finding.key),
})

/** Its source does not answer, so its absence proves nothing. */
export const isUnknown = ({ queues, bans }: StatusFacts, key: string): boolean =>
  (queues === null && key.startsWith('queue.')) || (bans === null && key.startsWith('source.'))

/** Gravest first. */
export function findingsOf(facts: StatusFacts, settings: Settings, now: Instant): Finding[] {
  return [
    ...blockingFindings(facts.blocking),
    ...readinessFindings(facts.readiness),
    ...unreachableFindings(facts.unreachable),
    ...ofFleet(facts),
    ...ofBans(facts),
    ...ofSeries(facts, now),
    ...ofPrices(facts, settings, now),
    ...ofFailures(facts, now),
    ...ofTables(facts),
    ...ofHolds(facts),
    ...ofCheck(facts),
    ...ofMissing(facts),
  ].toSorted(byGravity)
}

const gravity = { note: 0, 'catching-up': 1, attention: 2 }
const byGravity = (a: Finding, b: Finding): number => gravity[b.state] - gravity[a.state]

const whenAllIsWell = ({ series }: StatusFacts): string =>
  `Everything is fine: all ${counted(series.length, 'series')} are fresh and complete.`

/** Known only from samples or other processes. */
const seenElsewhere = /^(?:database|disk)\.|@/

function ofAlerts({ alerts }: StatusFacts, findings: readonly Finding[]): Finding[] {
  const seenHere = new Set(findings.map(({ key }) => key))
  return alerts
    .filter(({ key, resolvedAt }) => resolvedAt === null && seenElsewhere.test(key) && !seenHere.has(key))
    .map(({ key, message }) => attention(key, message))
}

const unlessResolving = (resolving: boolean): typeof attention => (resolving ? catchingUp : attention)

const isStarting = ({ process: { startedAt } }: StatusFacts, now: Instant): boolean =>
  startedAt !== null && now - Date.parse(startedAt) < settlingMs

function ofFleet({ queues, process, readiness }: StatusFacts): Finding[] {
  if (queues === null) {
    const silent = 'The queue does not answer: see that its PostgreSQL or Redis runs.'
    return readiness.queue.ok ? [attention('queue.silent', silent)] : []
  }
  const paused = queues.filter((queue) => queue.paused).map(({ queue }) => queue)
  return [
    ...(process.hasWorkers
      ? []
      : [attention('queue.no-workers', 'No process works on the queues: start one with the worker role.')]),
    ...paused.map((queue) =>
      attention(
        'queue.paused',
        `The queue ${queue} is paused: \`${commandLine`beacon queues resume ${queue}`}\` lets it go on.`,
      ),
    ),
  ]
}

/** Rate limits resolve themselves. */
function ofBans({ bans }: StatusFacts): Finding[] {
  if (bans === null) {
    return [
      attention(
        'budget.silent',
        'The request budget does not answer: see that its PostgreSQL or Redis runs.',
      ),
    ]
  }
  return bans.map(({ source, kind, message }) =>
    (kind === 'slow-down' ? catchingUp : attention)(`source.${kind} ${source}`, `${message}.`),
  )
}

function ofSeries(facts: StatusFacts, now: Instant): Finding[] {
  const { series } = facts
  if (series.length === 0)
    return [attention('coins.none', 'No coin is tracked: `beacon coins add bitcoin` tracks one.')]
  const findings: Finding[] = []
  const stale = series.filter(({ state }) => state === 'stale')
  const [worst] = stale.toSorted((a, b) => lagInCandles(b) - lagInCandles(a))
  if (worst) {
    const example = `${worst.coinId} ${worst.timeframe} has had no candle for ${lengthInWords((worst.secondsBehind ?? 0) * second)}`
    findings.push(
      unlessResolving(isStarting(facts, now))(
        'series.stale',
        `${seriesThat(stale.length, 'is', 'are')} stale: ${example}.`,
      ),
    )
  }
  const empty = series.filter(({ state }) => state === 'empty')
  if (empty.length > 0) {
    const resolving =
      isStarting(facts, now) || empty.every(({ trackedFrom }) => now - Date.parse(trackedFrom) < settlingMs)
    findings.push(
      unlessResolving(resolving)('series.empty', `${seriesThat(empty.length, 'has', 'have')} no candle yet.`),
    )
  }
  const late = series.filter(({ state }) => state === 'late').length
  if (late > 0)
    findings.push(catchingUp('series.late', `${seriesThat(late, 'is', 'are')} a few candles late.`))
  return findings
}

const seriesThat = (count: number, one: string, many: string): string =>
  count === 1 ? `One series ${one}` : `${counted(count, 'series')} ${many}`

const lengthSeconds = ({ lastOpenTime, lastCloseTime }: StatusFacts['series'][number]): number =>
  lastOpenTime === null || lastCloseTime === null
    ? 1
    : (Date.parse(lastCloseTime) - Date.parse(lastOpenTime)) / second

const lagInCandles = (series: StatusFacts['series'][number]): number =>
  (series.secondsBehind ?? 0) / lengthSeconds(series)

function ofPrices(facts: StatusFacts, { prices: { every } }: Settings, now: Instant): Finding[] {
  const { prices, series } = facts
  const coins = new Set(series.map(({ coinId }) => coinId)).size
  if (coins === 0) return []
  if (prices.length === 0)
    return [unlessResolving(isStarting(facts, now))('prices.none', 'There is no price yet.')]
  const newestAgeMs = Math.min(...prices.map(({ ageSeconds }) => ageSeconds)) * second
  // Sources date prices back, and a request may fail.
  if (newestAgeMs <= 3 * every + 5 * minute) return []
  return [
    unlessResolving(isStarting(facts, now))(
      'prices.old',
      `The newest price is ${lengthInWords(newestAgeMs)} old.`,
    ),
  ]
}

/** Rate limits have their own finding. */
const waitingFaults = ['RateLimited', 'Banned', 'Blocked']

/** Postponed jobs have run again by then. */
const longestPutBackMs = 10 * minute

function ofFailures(facts: StatusFacts, now: Instant): Finding[] {
  return facts.failures
    .filter((group) => !isPutBack(group, now))
    .filter((group) => !group.jobs.every((one) => isReportedBySource(one, group.fault, facts)))
    .map((group) => {
      const { key, cause, jobs, firstAt, lastAt, failures: count, willRetry } = group
      const details = { cause, jobs: jobs.map(workName), firstAt, lastAt, failures: count }
      const sources = jobs.flatMap(({ subject: { source } }) => source ?? [])
      const isUnused =
        isUnreachableText(cause) &&
        sources.length === jobs.length &&
        !sources.some((source) => isUsedBy(facts.series, source))
      const kind = isUnused ? note : willRetry ? catchingUp : attention
      return { ...kind(key, failureMessage(group)), details }
    })
}

/** Postponed until the rate limit ends: no failure yet. */
const isPutBack = ({ fault, willRetry, lastAt }: StatusFacts['failures'][number], now: Instant): boolean =>
  fault === 'RateLimited' && willRetry && now - Date.parse(lastAt) < longestPutBackMs

/** Explained by the source's finding. */
function isReportedBySource(
  { subject: { source }, error }: FailingJobStatus,
  fault: string,
  { bans, unreachable }: StatusFacts,
): boolean {
  if (waitingFaults.includes(fault)) return (bans ?? []).some((ban) => ban.source === source)
  if (!isUnreachableText(error)) return false
  return unreachable.isNetworkDown || unreachable.sources.some((one) => one.source === source)
}

function ofTables({ partitions }: StatusFacts): Finding[] {
  const ended = partitions
    .filter(({ newestBound, daysAhead }) => newestBound !== null && daysAhead <= 0)
    .map(({ table }) => table)
  if (ended.length === 0) return []
  const tables = ended.length === 1 ? `${ended[0]} has` : `${ended.join(', ')} have`
  return [
    attention(
      'partitions.ended',
      `${tables} no partition for new rows: \`beacon partitions ensure\` makes it.`,
    ),
  ]
}

/** Grouped by table and kind. */
function ofHolds({ holds, partitions }: StatusFacts): Finding[] {
  const found = new Map<string, { first: HoldStatus; names: string[] }>()
  for (const hold of holds) {
    const key = `retention.held ${hold.table} ${hold.kind}`
    const known = found.get(key)
    if (known) known.names.push(hold.name)
    else found.set(key, { first: hold, names: [hold.name] })
  }
  const unbounded = partitions
    .filter((one) => one.unbounded.length > 0 && !found.has(`retention.held ${one.table} shape`))
    .map((one) =>
      attention(
        `partitions.unbounded ${one.table}`,
        `${one.unbounded.join(', ')} of ${one.table} has no bounds in time, so retention never deletes its rows: \`beacon retention --dry-run\` shows what helps.`,
      ),
    )
  return [
    ...[...found].map(([key, one]) => attention(key, heldText(one.first, one.names.length - 1))),
    ...unbounded,
  ]
}

function ofCheck({ checkProblems }: StatusFacts): Finding[] {
  if (checkProblems === null || checkProblems === 0) return []
  return [
    attention(
      'archive.check',
      `${counted(checkProblems, 'difference')} between what is stored or archived and what was written: \`beacon archive check\` lists them with what helps.`,
    ),
  ]
}

function heldText({ name, reason, remedy }: HoldStatus, more: number): string {
  const others = more === 0 ? '' : ` and ${counted(more, 'more partition')}`
  const helps = remedy === null ? '' : `: ${remedy}`
  return `Retention cannot delete ${name}${others}: ${reason}${helps}.`
}

function ofMissing({ series }: StatusFacts): Finding[] {
  const missing = series.reduce((sum, { missingCandles }) => sum + missingCandles, 0)
  return missing === 0
    ? []
    : [catchingUp('candles.missing', `${counted(missing, 'candle')} still to be fetched.`)]
}
