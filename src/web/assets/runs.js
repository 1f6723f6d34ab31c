// The last runs, newest first: a few of them, or all that were sent.
import { draw, h } from './dom.js'
import { about, cell, nothing, outcome, table, time } from './elements.js'
import { age, count, secondsBetween, took } from './words.js'

const fewRuns = 12
let showsAll = false
let latest

/** Draws them, and minds the button that shows the rest. */
export function openRuns(place) {
  place.addEventListener('click', ({ target }) => {
    if (!target.closest('[data-more]')) return
    showsAll = !showsAll
    show(place)
  })
  return (status) => {
    latest = status
    show(place)
  }
}

function show(place) {
  const { runs, generatedAt } = latest
  if (runs.length === 0) return draw(place, nothing('Nothing has run yet.'))
  const columns = [
    ['Job'],
    ['For'],
    ['Began', 'number'],
    ['Took', 'number'],
    ['Received', 'number'],
    ['New', 'number'],
    ['Revised', 'number'],
    ['Quarantined', 'number'],
    ['Result'],
  ]
  const shown = showsAll ? runs : runs.slice(0, fewRuns)
  draw(
    place,
    table(
      'Last runs',
      columns,
      shown.map((run) => row(run, generatedAt)),
      { class: 'runs' },
    ),
    runs.length > fewRuns &&
      h(
        'button',
        { type: 'button', class: 'more', 'data-more': true, 'aria-expanded': String(showsAll) },
        showsAll ? `Show only the last ${fewRuns}` : `Show all ${runs.length}`,
      ),
  )
}

function row(run, generatedAt) {
  const { counts, attempt, error } = run
  const numberCell = (label, value, kind = '') =>
    cell(label, `number ${kind} ${value ? '' : 'zero'}`, count(value))
  return h(
    'tr',
    { class: run.status },
    h('th', { scope: 'row' }, run.job),
    h('td', { class: 'subject' }, about(run.subject)),
    cell(
      'began',
      'number faint',
      time(run.startedAt, `${age(secondsBetween(run.startedAt, generatedAt))} ago`),
    ),
    cell('took', run.tookMs === null ? 'number zero' : 'number', took(run.tookMs)),
    numberCell('received', counts.received),
    numberCell('new', counts.new),
    numberCell('revised', counts.revised),
    numberCell('quarantined', counts.quarantined, counts.quarantined ? 'warns' : ''),
    h(
      'td',
      { class: 'result' },
      outcome(run),
      attempt > 1 && h('span', { class: 'faint' }, ` · try ${attempt}`),
      error !== null && h('span', { class: 'error' }, error),
    ),
  )
}
