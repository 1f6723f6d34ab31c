// Failed runs first, then newest.
import type { RunStatus } from '../../status/runs.ts'
import type { Status } from '../../status/status.ts'
import { type Child, draw, h } from './elements/dom.ts'
import { age, count, secondsBetween, took } from './elements/words.ts'
import {
  about,
  type Column,
  cell,
  errorRow,
  followErrors,
  nothing,
  outcome,
  table,
  time,
} from './elements.ts'
import { runLink } from './links.ts'

const fewRuns = 12

const columns: readonly Column[] = [
  ['Job'],
  ['For'],
  ['Began', 'number'],
  ['Took', 'number'],
  ['Received', 'number wide'],
  ['New', 'number'],
  ['Revised', 'number wide'],
  ['Quarantined', 'number'],
  ['Result'],
]

export function openRuns(place: Element): (status: Status) => void {
  let showsAll = false
  let latest: Status | undefined
  const redraw = () => latest && show(place, latest, showsAll)
  followErrors(place, redraw)
  place.addEventListener('click', ({ target }) => {
    if (!(target instanceof Element) || !target.closest('[data-more]')) return
    showsAll = !showsAll
    redraw()
  })
  return (status) => {
    latest = status
    redraw()
  }
}

function show(place: Element, { runs, generatedAt }: Status, showsAll: boolean): void {
  if (runs.length === 0) {
    draw(place, nothing('Nothing has run yet.'))
    return
  }
  const shown = worstFirst(runs).slice(0, showsAll ? runs.length : fewRuns)
  draw(
    place,
    runTable(shown, generatedAt),
    runs.length > fewRuns &&
      h(
        'button',
        { type: 'button', class: 'more', 'data-more': true, 'aria-expanded': String(showsAll) },
        showsAll ? `Show only ${fewRuns}` : `Show all ${runs.length}`,
      ),
  )
}

export const runTable = (runs: readonly RunStatus[], generatedAt: string): HTMLElement =>
  table(
    'Last runs',
    columns,
    runs.flatMap((run) => rowsOf(run, generatedAt)),
    { class: 'cards runs' },
  )

const isBad = ({ status, willRetry }: RunStatus): boolean =>
  !willRetry && (status === 'failed' || status === 'partial')

const worstFirst = (runs: readonly RunStatus[]): RunStatus[] =>
  runs.toSorted((a, b) => Number(isBad(b)) - Number(isBad(a)))

function rowsOf(run: RunStatus, generatedAt: string): Child[] {
  const { counts, attempt, error, id } = run
  const numberCell = (label: string, value: number | null, kind = '') =>
    cell(label, `number ${kind} ${value ? '' : 'zero'}`, count(value))
  const row = h(
    'tr',
    { class: run.willRetry ? 'retried' : run.status },
    h('th', { scope: 'row' }, runLink(run.id, run.job)),
    h('td', { class: 'subject' }, about(run.subject)),
    cell(
      'began',
      'number faint',
      time(run.startedAt, `${age(secondsBetween(run.startedAt, generatedAt))} ago`),
    ),
    cell('took', run.tookMs === null ? 'number zero' : 'number', took(run.tookMs)),
    numberCell('received', counts.received, 'wide'),
    numberCell('new', counts.new),
    numberCell('revised', counts.revised, 'wide'),
    numberCell('quarantined', counts.quarantined, counts.quarantined ? 'warns' : ''),
    h(
      'td',
      { class: 'result' },
      outcome(run),
      attempt > 1 && h('span', { class: 'faint' }, ` · try ${attempt}`),
    ),
  )
  return error === null ? [row] : [row, errorRow(id, columns.length, error)]
}
