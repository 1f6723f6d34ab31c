// Lag, budget and remaining work per source.
import type { BanStatus } from '../../status/bans.ts'
import type { SourceStatus } from '../../status/sources.ts'
import type { Status } from '../../status/status.ts'
import { ask } from './ask.ts'
import { type Child, draw, h } from './elements/dom.ts'
import { age, count, counted, secondsBetween } from './elements/words.ts'
import { about, type Column, cell, mark, nothing, table } from './elements.ts'

const lanes = ['live', 'repair', 'backfill'] as const
type Pace = Readonly<Record<(typeof lanes)[number], number>>

/** Sample distance for rates. */
const paceMs = 10_000

const columns: readonly Column[] = [
  ['Source'],
  ['Behind', 'number'],
  ['History'],
  ['Budget used'],
  ['Backfill'],
  ['Ends in', 'number'],
]

/** Returns what asks and draws, unless an answer is still to come; it calls `filled` after each answer while a backfill runs, and once after it. */
export function openSources(
  place: Element,
  filled: () => void,
  isShown: (source: string) => boolean = () => true,
): (status: Pick<Status, 'bans'>) => Promise<void> {
  let before: Readonly<{ at: number; sources: readonly SourceStatus[] }> | undefined
  let asking = false
  let isFilling = false

  /** Points per second by lane; undefined at first. */
  function paceOf({ source, spentPoints }: SourceStatus, now: number): Pace | undefined {
    const earlier = before?.sources.find((one) => one.source === source)
    if (!before || !earlier || now - before.at < 1_000) return undefined
    const seconds = (now - before.at) / 1_000
    const pace = (lane: (typeof lanes)[number]) =>
      Math.max(0, (spentPoints[lane] - earlier.spentPoints[lane]) / seconds)
    return { live: pace('live'), repair: pace('repair'), backfill: pace('backfill') }
  }

  function show(sources: readonly SourceStatus[], generatedAt: string, bans: Status['bans']) {
    const now = Date.parse(generatedAt)
    const paces = new Map(sources.map((one) => [one.source, paceOf(one, now)]))
    if (!before || now - before.at > paceMs) before = { at: now, sources }
    if (sources.length === 0) return draw(place, nothing('No coins are tracked yet.'))
    const banOf = (source: string) => bans?.find((ban) => ban.source === source)
    const rows = worstFirst(sources, (source) => banOf(source) !== undefined).map((one) =>
      row(one, paces.get(one.source), banOf(one.source), generatedAt),
    )
    draw(
      place,
      table('Each source that candles are read from', columns, rows, { class: 'cards' }),
      runningNow(sources, generatedAt),
    )
  }

  return async ({ bans }) => {
    if (asking) return
    asking = true
    try {
      const { sources, generatedAt } = await ask('/api/sources')
      // Unreachable daemons are shown elsewhere.
      if (!sources || !generatedAt) return
      show(
        sources.filter(({ source }) => isShown(source)),
        generatedAt,
        bans,
      )
      const wasFilling = isFilling
      isFilling = sources.some(({ backfill }) => backfill !== null)
      if (isFilling || wasFilling) filled()
    } finally {
      asking = false
    }
  }
}

const worstFirst = (
  sources: readonly SourceStatus[],
  isBanned: (source: string) => boolean,
): SourceStatus[] =>
  sources.toSorted(
    (a, b) =>
      Number(isBanned(b.source)) - Number(isBanned(a.source)) || (b.lagSeconds ?? 0) - (a.lagSeconds ?? 0),
  )

const banned = { 'slow-down': 'slowed down', banned: 'banned', unserved: 'not served here' } as const

function row(
  one: SourceStatus,
  pace: Pace | undefined,
  ban: BanStatus | undefined,
  now: string,
): HTMLElement {
  const { source, lagSeconds, allowedPointsPerSecond, backfill } = one
  return h(
    'tr',
    {},
    h(
      'th',
      { scope: 'row' },
      h('b', {}, source),
      ban && h('span', { class: 'tag' }, `${banned[ban.kind]} until ${ban.until.slice(11, 16)}`),
    ),
    cell('behind', 'number', behind(lagSeconds)),
    cell('history', 'wide-cell', history(one)),
    cell('budget used', 'wide-cell', budget(pace, allowedPointsPerSecond)),
    cell('backfill', 'wide-cell', backfillCell(backfill)),
    cell('ends in', 'number', backfill?.endsAt && `about ${age(secondsBetween(now, backfill.endsAt))}`),
  )
}

function backfillCell(backfill: SourceStatus['backfill']): Child {
  if (!backfill) return h('span', { class: 'faint' }, 'none')
  const { doneCandles, totalCandles, candlesPerSecond, requests, plannedRequests, jobsLeft } = backfill
  const share = totalCandles === 0 ? 0 : doneCandles / totalCandles
  return [
    meter(
      share,
      `${Math.floor(100 * share)} %`,
      `${count(doneCandles)} of ${counted(totalCandles, 'candle')}`,
    ),
    h(
      'span',
      { class: 'faint' },
      [
        ...(candlesPerSecond === null ? [] : [`${count(candlesPerSecond)} a second`]),
        ...(plannedRequests === 0 ? [] : [`${count(requests)} of ${counted(plannedRequests, 'request')}`]),
        `${counted(jobsLeft, 'job')} left`,
      ].join(' · '),
    ),
  ]
}

const behind = (lagSeconds: number | null): string =>
  lagSeconds === null ? 'nothing yet' : lagSeconds === 0 ? 'up to date' : age(lagSeconds)

function history({ missingCandles, wantedCandles }: SourceStatus): Child[] {
  const share = wantedCandles === 0 ? 1 : (wantedCandles - missingCandles) / wantedCandles
  // Rounds down: nearly complete is not complete.
  const percent = missingCandles === 0 ? '100' : (Math.floor(share * 1000) / 10).toFixed(1)
  return meter(
    share,
    `${percent} %`,
    missingCandles === 0 ? 'complete' : `${counted(missingCandles, 'candle')} missing`,
  )
}

function budget(pace: Pace | undefined, allowed: number | null): Child {
  if (allowed === null) return h('span', { class: 'faint' }, 'not limited')
  if (!pace) return h('span', { class: 'faint' }, '…')
  const shares = lanes.map((lane) => [lane, Math.min(1, pace[lane] / allowed)] as const)
  const total = shares.reduce((sum, [, share]) => sum + share, 0)
  const used = shares.flatMap(([lane, share]) => (share > 0 ? [`${lane} ${inPercent(share)}`] : []))
  return meter(Math.min(1, total), inPercent(total), used.join(', '))
}

/** Not rounded to zero. */
const inPercent = (share: number): string =>
  share > 0 && share < 0.01 ? '< 1 %' : `${Math.round(share * 100)} %`

const meter = (share: number, text: string, note: string): Child[] => [
  h('span', {}, text, ' '),
  h('span', { class: 'faint' }, note),
  h('progress', { class: 'budget', max: 1, value: share, 'aria-hidden': 'true' }),
]

function runningNow(sources: readonly SourceStatus[], now: string): Child {
  const running = sources.flatMap(({ running: jobs }) => jobs)
  return (
    running.length > 0 &&
    h(
      'ul',
      { class: 'running-now', 'aria-label': 'Running now' },
      running.map(({ job, subject, startedAt, progress }) =>
        h(
          'li',
          {},
          mark('▸'),
          ` ${job} `,
          h('span', { class: 'faint' }, about(subject)),
          progress && ` ${count(progress.done)} of ${count(progress.total)}`,
          startedAt &&
            h('span', { class: 'faint' }, ` for ${age(Math.max(0, secondsBetween(startedAt, now)))}`),
        ),
      ),
    )
  )
}
