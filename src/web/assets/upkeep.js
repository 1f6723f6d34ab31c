// The upkeep: when each job ran and runs next, the tables and their partitions, what retention will do, the archive.
import { draw, h } from './dom.js'
import { ask, cell, nothing, outcome, table, time } from './elements.js'
import { age, bytes, count, counted, day, instant, secondsBetween, took, until } from './words.js'

/** Asks for what only changes now and then, and draws it. */
export async function drawUpkeep(
  { jobs: ofJobs, archives: ofArchives, retention: ofRetention },
  { generatedAt },
) {
  const [{ jobs, archives }, plan] = await Promise.all([ask('/api/upkeep'), ask('/api/retention')])
  // The page says already when nobody answers; what was drawn stays.
  if (jobs) drawJobs(ofJobs, jobs, generatedAt)
  if (archives) drawArchives(ofArchives, archives)
  if (plan.partitions) drawRetention(ofRetention, plan, generatedAt)
}

function drawJobs(place, jobs, now) {
  const rows = jobs.map(({ job, summary, schedules, nextRun, lastRun }) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row', title: summary }, job),
      cell(
        'last',
        'number faint',
        lastRun ? time(lastRun.startedAt, `${age(secondsBetween(lastRun.startedAt, now))} ago`) : 'never yet',
      ),
      cell('took', 'number', lastRun ? took(lastRun.tookMs) : ''),
      cell(
        'result',
        '',
        lastRun && [outcome(lastRun), lastRun.error && h('span', { class: 'error' }, lastRun.error)],
      ),
      cell(
        'next',
        'number',
        nextRun === null
          ? h('span', { class: 'faint' }, 'when asked')
          : time(nextRun, until(secondsBetween(now, nextRun))),
        schedules > 1 && h('span', { class: 'faint' }, ` · ${counted(schedules, 'schedule')}`),
      ),
    ),
  )
  const columns = [['Job'], ['Last run', 'number'], ['Took', 'number'], ['Result'], ['Next run', 'number']]
  draw(place, table('When each job ran and runs next', columns, rows, { class: 'stack' }))
}

const endings = { drop: 'dropped', archive: 'archived', 'roll-up': 'rolled up' }

export function drawStorage(place, { partitions }) {
  const rows = partitions.map(({ table: name, partitions: leaves, bytes: size, estimatedRows, ...rest }) => {
    const { daysAhead, newestBound, keptDays, ending, unbounded } = rest
    return h(
      'tr',
      {},
      h('th', { scope: 'row' }, name),
      cell(
        'partitions',
        `number ${unbounded.length > 0 ? 'warns' : ''}`,
        count(leaves),
        unbounded.length > 0 && h('span', { class: 'faint' }, ` + ${unbounded.join(', ')}, without bounds`),
      ),
      // The planner has not looked at a new leaf yet.
      cell('rows', 'number', estimatedRows === 0 ? '–' : `~ ${count(estimatedRows)}`),
      cell('size', 'number', bytes(size)),
      cell(
        'ahead',
        `number ${daysAhead < 1 ? 'warns' : ''}`,
        newestBound === null ? 'none' : time(newestBound, ahead(daysAhead)),
      ),
      cell(
        'kept',
        '',
        keptDays === null ? 'for ever' : `${counted(keptDays, 'day')}, then ${endings[ending]}`,
      ),
    )
  })
  const columns = [
    ['Table'],
    ['Partitions', 'number'],
    ['Rows', 'number'],
    ['Size', 'number'],
    ['Made ahead', 'number'],
    ['Kept'],
  ]
  draw(place, table('The partitions of each table', columns, rows, { class: 'stack' }))
}

const ahead = (days) => (days < 2 ? `${Math.round(days * 24)} h` : counted(Math.floor(days), 'day'))

const fates = {
  drop: 'dropped',
  archive: 'archived, read back and dropped',
  'roll-up': 'rolled up, compared and dropped',
}
const mostLeaves = 12

/** One without bounds in time is never old enough. */
const unboundedLeaf = ({ table: of, name, bounds, bytes: size, hold }) => ({
  table: of,
  name,
  bounds,
  bytes: size,
  verdict: 'held-back',
  reason: hold.remedy === null ? hold.reason : `${hold.reason}: ${hold.remedy}`,
})

/** What the next run will do; where it does nothing to a table, what goes first and when. */
function drawRetention(place, plan, now) {
  const going = plan.partitions.filter(({ verdict }) => verdict === 'goes')
  const held = [
    ...plan.partitions.filter(({ verdict }) => verdict === 'held-back'),
    ...plan.unbounded.map(unboundedLeaf),
  ]
  const tables = [...new Set(plan.partitions.map(({ table: name }) => name))]
  const waiting = tables.flatMap((name) => firstToGo(plan.partitions, name) ?? [])
  const rows = [
    ...[...going, ...held].slice(0, mostLeaves).map((leaf) => leafRow(leaf, plan)),
    ...plan.rows.filter(({ rows: old }) => old !== 0).map((old) => oldRowsRow(old, plan)),
    ...waiting.map((leaf) => laterRow(leaf)),
  ]
  const columns = [['What'], ['Of'], ['Rows', 'number'], ['Size', 'number'], ['When', 'number'], ['Becomes']]
  const more = going.length + held.length - mostLeaves
  draw(
    place,
    h(
      'p',
      { class: 'note inset' },
      sentenceOf(plan, going, held),
      ' ',
      time(
        plan.nextRun,
        `It runs at ${instant(plan.nextRun)} UTC, in ${age(secondsBetween(now, plan.nextRun))}.`,
      ),
    ),
    rows.length > 0 && table('What retention will do, and when', columns, rows, { class: 'stack' }),
    more > 0 &&
      h('p', { class: 'note inset' }, `And ${counted(more, 'partition')} more: beacon retention --dry-run`),
  )
}

function sentenceOf({ refusal }, going, held) {
  if (refusal !== null) return `The next run will delete nothing: ${refusal}.`
  const sum = (name) => going.reduce((total, leaf) => total + leaf[name], 0)
  const parts = [
    going.length > 0 &&
      `let go of ${counted(going.length, 'partition')} with ${counted(sum('rows'), 'row')}, ${bytes(sum('bytes'))}`,
    held.length > 0 && `hold back ${counted(held.length, 'partition')}`,
  ].filter(Boolean)
  return parts.length === 0
    ? 'The next run has no partition to let go of.'
    : `The next run will ${parts.join(', and ')}.`
}

const leafRow = (
  { name, from, to, bounds, rows, isExact, bytes: size, ending, verdict, reason },
  { nextRun, holds },
) =>
  h(
    'tr',
    { class: verdict },
    h('th', { scope: 'row' }, name),
    cell('of', 'faint', bounds ?? span(from, to)),
    cell('rows', 'number', rows === undefined ? '–' : `${isExact ? '' : '~ '}${count(rows)}`),
    cell('size', 'number', bytes(size)),
    cell('when', 'number', verdict === 'goes' ? time(nextRun, instant(nextRun)) : 'not yet'),
    cell(
      'becomes',
      verdict === 'goes' && !heldBefore(holds, name) ? '' : 'warns',
      verdict === 'goes' ? [fates[ending], heldBefore(holds, name)] : `held back: ${reason}`,
    ),
  )

/** Why the last run could not delete it. */
function heldBefore(holds, name) {
  const hold = holds.find((one) => one.name === name)
  if (!hold) return undefined
  return ` · held back since ${instant(hold.heldSince)} UTC: ${hold.reason}${hold.remedy === null ? '' : `: ${hold.remedy}`}`
}

const oldRowsRow = ({ table: name, before, rows, ending }, { nextRun }) =>
  h(
    'tr',
    { class: rows === null ? 'later' : null },
    h('th', { scope: 'row' }, name),
    cell('of', 'faint', `older than ${day(before)}`),
    cell('rows', 'number', rows === null ? 'as found' : count(rows)),
    cell('size', 'number', ''),
    cell('when', 'number', time(nextRun, instant(nextRun))),
    cell('becomes', '', ending === 'archive' ? 'archived and deleted' : 'deleted'),
  )

/** Of a table of which nothing goes now, the leaf that will be old enough first. */
function firstToGo(partitions, name) {
  const own = partitions.filter(({ table: of }) => of === name)
  if (own.some(({ verdict }) => verdict !== 'stays')) return undefined
  return own.toSorted((a, b) => Date.parse(a.keptUntil) - Date.parse(b.keptUntil))[0]
}

const laterRow = ({ name, from, to, rows, bytes: size, ending, keptUntil }) =>
  h(
    'tr',
    { class: 'later' },
    h('th', { scope: 'row' }, name),
    cell('of', '', span(from, to)),
    cell('rows', 'number', count(rows)),
    cell('size', 'number', bytes(size)),
    cell('when', 'number', time(keptUntil, `after ${day(keptUntil)}`)),
    cell('becomes', '', fates[ending]),
  )

const span = (from, to) => {
  const last = new Date(Date.parse(to) - 1).toISOString()
  return day(from) === day(last) ? day(from) : `${day(from)} → ${day(last)}`
}

function drawArchives(
  place,
  { files, rows, bytes: size, unverified, newest, lastVerifiedAt, longestUnreadAt, lastCheck },
) {
  const fileFacts = () => [
    ['Files', count(files), unverified > 0 && `${count(unverified)} more not read back yet`],
    ['Rows', count(rows)],
    ['Size', bytes(size)],
    ['Newest', newest.name, `${count(newest.rows)} rows, ${instant(newest.createdAt)} UTC`],
    ['Last read back', time(lastVerifiedAt, `${instant(lastVerifiedAt)} UTC`)],
    instant(longestUnreadAt) !== instant(lastVerifiedAt) && [
      'Longest not read',
      time(longestUnreadAt, `since ${instant(longestUnreadAt)} UTC`),
      'beacon archive verify',
    ],
  ]
  const check = lastCheck && ['Last check', ...checkFact(lastCheck)]
  if (files === 0 && !check) return draw(place, nothing('Nothing has been archived yet.'))
  const facts = [check, ...(files === 0 ? [] : fileFacts())].filter(Boolean)
  draw(
    place,
    h(
      'dl',
      { class: 'facts' },
      facts.map(([name, value, note]) =>
        h('div', {}, h('dt', {}, name), h('dd', {}, value, note && h('span', {}, note))),
      ),
    ),
  )
}

/** What the last comparison with what was written has found. */
const checkFact = ({ checkedAt, problems, liveRows, archivedRows, first }) => [
  time(checkedAt, `${instant(checkedAt)} UTC`),
  problems === 0
    ? `${count(liveRows + archivedRows)} candles are as they were written`
    : [
        h('b', { class: 'warns' }, `${counted(problems, 'difference')} from what was written`),
        ...first.map(({ where, problem, remedy }) => h('span', {}, `${where}: ${problem}. ${remedy}`)),
      ],
]

/** Most queues have nothing most of the time: they are named, and no more. */
export function drawQueues(place, { queues }) {
  if (queues === null) return draw(place, nothing('The queue does not answer.'))
  const states = ['waiting', 'active', 'delayed', 'failed']
  const columns = [['Queue'], ...states.map((state) => [state, 'number'])]
  const inState = (one, state) => (state === 'waiting' ? one.waiting + one.prioritized : one[state])
  const isBusy = (one) => one.paused || states.some((state) => inState(one, state) > 0)
  const rows = queues.filter(isBusy).map((one) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, link(one.queue), one.paused && h('span', { class: 'tag' }, 'paused')),
      states.map((state) => {
        const jobs = inState(one, state)
        return h('td', { class: `number ${jobs === 0 ? 'zero' : state}` }, count(jobs))
      }),
    ),
  )
  const idle = queues.filter((one) => !isBusy(one))
  draw(
    place,
    rows.length > 0 && table('Jobs of each queue by state', columns, rows),
    idle.length > 0 &&
      h(
        'p',
        { class: 'note inset' },
        'Empty: ',
        idle.flatMap(({ queue }, index) => [index > 0 && ', ', link(queue)]),
      ),
  )
}

const link = (queue) => h('a', { href: `/queues/queue/${encodeURIComponent(queue)}` }, queue)
