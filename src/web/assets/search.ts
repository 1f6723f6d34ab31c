// `/` focuses it; Enter jumps to a coin, source or job.
import type { Status } from '../../status/status.ts'
import { draw, h } from './elements/dom.ts'

type Found = Readonly<{ kind: 'coin' | 'source' | 'job'; name: string; also: string }>
type Known = Pick<Status, 'series' | 'jobs'>

const sectionOf = { coin: 'freshness', source: 'sources', job: 'jobs' } as const
const mostSuggestions = 20

type Options = Readonly<{
  form: HTMLElement
  /** Shows a coin's candles. */
  choose(coinId: string, timeframe: string): unknown
}>

/** Call the result with each status. */
export function openSearch({ form, choose }: Options): (known: Known) => void {
  const input = form.querySelector('input')
  const suggestions = form.querySelector('datalist')
  if (!input || !suggestions) throw new Error('the page has no search box')
  let known: Known = { series: [], jobs: [] }

  document.addEventListener('keydown', (event) => {
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
    event.preventDefault()
    input.focus()
    input.select()
  })
  input.addEventListener('input', () => {
    input.setCustomValidity('')
    draw(
      suggestions,
      matching(known, input.value)
        .slice(0, mostSuggestions)
        .map(({ kind, name, also }) =>
          h('option', { value: name, label: [name, also, kind].filter(Boolean).join(' · ') }),
        ),
    )
  })
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const [found] = matching(known, input.value)
    if (found) {
      const timeframe = known.series.find(({ coinId }) => coinId === found.name)?.timeframe
      if (found.kind === 'coin' && timeframe) choose(found.name, timeframe)
      else jumpTo(sectionOf[found.kind], found.name)
      return
    }
    input.setCustomValidity(`No coin, source or job is named "${input.value.trim()}".`)
    input.reportValidity()
  })
  return (status) => {
    known = status
  }
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || target.matches('input, select, textarea'))

/** Exact, prefix, then substring. */
function matching({ series, jobs }: Known, text: string): Found[] {
  const wanted = text.trim().toLowerCase()
  if (wanted === '') return []
  const coins = new Map(series.map(({ coinId, symbol }) => [coinId, symbol]))
  const all: Found[] = [
    ...[...coins].map(([name, symbol]): Found => ({ kind: 'coin', name, also: symbol.toUpperCase() })),
    ...[...new Set(series.map(({ source }) => source))].map(
      (name): Found => ({ kind: 'source', name, also: '' }),
    ),
    ...[...new Set(jobs.map(({ job }) => job))].map((name): Found => ({ kind: 'job', name, also: '' })),
  ]
  return all
    .map((one) => ({ one, rank: rankOf(one, wanted) }))
    .filter(({ rank }) => rank < 3)
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ one }) => one)
}

function rankOf({ name, also }: Found, wanted: string): number {
  const names = [name, also].map((one) => one.toLowerCase())
  if (names.includes(wanted)) return 0
  if (names.some((one) => one.startsWith(wanted))) return 1
  return names.some((one) => one.includes(wanted)) ? 2 : 3
}

/** Scrolls to a row and focuses its section. */
function jumpTo(sectionId: string, name: string): void {
  const section = document.getElementById(sectionId)
  const heading = section?.querySelector('h2')
  const rows = [...(section?.querySelectorAll('tbody tr') ?? [])]
  const row = rows.find((one) => one.querySelector('th')?.textContent?.startsWith(name))
  if (heading) heading.tabIndex = -1
  heading?.focus({ preventScroll: true })
  const target = row ?? section
  target?.scrollIntoView({ block: row ? 'center' : 'start' })
}
