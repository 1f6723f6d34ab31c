// Failed runs first, then newest.
import type { RunStatus } from '../../status/runs.ts'
import type { Status } from '../../status/status.ts'
import { ask } from './ask.ts'
import { type Child, draw, h } from './elements/dom.ts'
import { age, count, secondsBetween, took } from './elements/words.ts'
import {
  about,
  type Column,
  cell,
  errorRow,
  followErrors,
  noMatch,
  nothing,
  outcome,
  table,
  time,
} from './elements.ts'
import { openUrlFilters } from './filters/url-filters.ts'
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

type List = Pick<Status, 'runs' | 'generatedAt'>

/** The last runs, or the newest that match the filters of the form. */
export function openRuns(place: Element, form: HTMLElement): (status: Status) => void {
  let showsAll = false
  let latest: Status | undefined
  let found: List | undefined
  let asked = 0
  let answered = 0
  const redraw = () => {
    if (!latest) return
    if (!filters.isSet()) drawRuns(place, { ...latest, runs: worstFirst(latest.runs) }, showsAll)
    else if (found?.runs.length === 0) draw(place, nothing(noMatch))
    else if (found) drawRuns(place, found, showsAll)
  }
  const search = async () => {
    asked += 1
    const mine = asked
    const names = ['job', 'result', 'source'] as const
    const query = new URLSearchParams(
      names.flatMap((name) => (filters.value(name) === '' ? [] : [[name, filters.value(name)]])),
    )
    const answer = await ask(`/api/runs?${query}`)
    answered = Math.max(answered, mine)
    // The filters may have changed meanwhile.
    if (mine !== asked || !filters.isSet()) return
    if (answer.runs) {
      found = answer
      redraw()
    } else draw(place, nothing(answer.error ?? 'The daemon does not answer.'))
  }
  const filters = openUrlFilters(form, () => {
    found = undefined
    if (filters.isSet()) void search()
    else redraw()
  })
  followErrors(place, redraw)
  place.addEventListener('click', ({ target }) => {
    if (!(target instanceof Element) || !target.closest('[data-more]')) return
    showsAll = !showsAll
    redraw()
  })
  return (status) => {
    latest = status
    filters.offer('source', sourcesOf(status))
    if (!filters.isSet()) redraw()
    else if (answered === asked) void search()
  }
}

const sourcesOf = ({ series, runs }: Status): string[] =>
  [
    ...new Set([
      ...series.map(({ source }) => source),
      ...runs.flatMap(({ subject }) => (subject.source === undefined ? [] : [subject.source])),
    ]),
  ].toSorted()

function drawRuns(place: Element, { runs, generatedAt }: List, showsAll: boolean): void {
  if (runs.length === 0) {
    draw(place, nothing('Nothing has run yet.'))
    return
  }
  draw(
    place,
    runTable(runs.slice(0, showsAll ? runs.length : fewRuns), generatedAt),
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
