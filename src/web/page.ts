import type { AnyJob } from '../queue/job.ts'
import { runStatuses } from '../status/runs.ts'
import { askedByCommand } from '../store/runs/provenance.ts'
import type { FirstAnswer } from './first-answers.ts'
import { beginPage, endPage, type PageFiles } from './layout.ts'

type Part = Readonly<{
  id: string
  title: string
  note: string
  link?: Readonly<{ href: string; text: string }>
}>

/** Above the body of each section that has some. */
type Controls = ReadonlyMap<string, string>

/** In reading order. */
const parts: readonly Part[] = [
  { id: 'alerts', title: 'Alerts', note: 'Open alerts, and those of the last 24 hours' },
  { id: 'freshness', title: 'Freshness', note: 'Age of the newest closed candle of each series' },
  { id: 'prices', title: 'Last prices', note: 'USD, as the source gave them' },
  {
    id: 'coverage',
    title: 'Coverage',
    note: 'Each coin by UTC day: point at a day, or choose it for its gaps',
  },
  {
    id: 'chart',
    title: 'Candles',
    note: 'Drag for older ones',
    link: { href: 'https://www.tradingview.com/', text: 'Charts by TradingView' },
  },
  {
    id: 'sources',
    title: 'Activity',
    note: 'Each source: lag, history, budget by lane, backfills',
  },
  { id: 'runs', title: 'Last runs', note: 'Failed runs first, then the newest' },
  { id: 'jobs', title: 'Maintenance', note: 'Each job, the last time and the next' },
  {
    id: 'queues',
    title: 'Queues',
    note: 'Jobs by state',
    link: { href: '/queues', text: 'Board' },
  },
  { id: 'storage', title: 'Partitions', note: 'Size, days ahead, and how long they are kept' },
  { id: 'archives', title: 'Archive', note: 'Rows that are kept in files' },
  { id: 'retention', title: 'Next retention', note: 'What it will delete, and why' },
  { id: 'database', title: 'Database', note: 'The last day, minute by minute' },
]

const section = ({ id, title, note, link }: Part, base: string, controls: Controls): string => `
      <section id="${id}" class="card" aria-labelledby="${id}-title">
        <div class="card-head">
          <h2 id="${id}-title">${title}</h2>
          <p class="note">${note}</p>
          ${link ? `<a href="${link.href.startsWith('/') ? base : ''}${link.href}">${link.text}<span aria-hidden="true"> →</span></a>` : ''}
        </div>${controls.get(id) ?? ''}
        <div class="card-body" data-part="${id}"><p class="nothing">Waiting for the first answer …</p></div>
      </section>`

const searchForm = `
        <form class="search" role="search" data-part="search">
          <input type="search" id="search" list="found" autocomplete="off" placeholder="Coin, source or job ( / )" aria-label="Search for a coin, a source or a job" aria-keyshortcuts="/">
          <datalist id="found"></datalist>
        </form>`

const sectionLinks = `
    <nav class="sections" aria-label="Sections">
      ${parts.map(({ id, title }) => `<a href="#${id}">${title}</a>`).join('')}
    </nav>`

const option = (value: string): string => `<option value="${value}">${value}</option>`

const select = (name: string, label: string, all: string, values: readonly string[]): string =>
  `<select data-filter="${name}" aria-label="${label}" autocomplete="off"><option value="">${all}</option>${values.map(option).join('')}</select>`

/** The script offers the timeframes of the series. */
const seriesFilters = `
    <form class="filters" aria-label="Filter coins" data-part="filters">
      <input type="search" data-filter="coin" autocomplete="off" placeholder="Filter coins" aria-label="Filter by coin">
      ${select('timeframe', 'Filter by timeframe', 'All timeframes', [])}
      ${select('state', 'Filter by state', 'All states', ['stale', 'empty', 'late', 'fresh'])}
      <button type="button" class="link" data-clear hidden>Clear filters</button>
    </form>`

/** The script offers the sources. */
const runFilters = (jobs: readonly string[]): string => `
        <form class="filters" aria-label="Filter runs" data-part="run-filters">
          ${select('job', 'Filter by job', 'All jobs', jobs)}
          ${select('result', 'Filter by result', 'All results', runStatuses)}
          ${select('source', 'Filter by source', 'All sources', [])}
          <button type="button" class="link" data-clear hidden>Clear filters</button>
        </form>`

const mainOf = (base: string, controls: Controls): string => `<main id="main" class="waiting" tabindex="-1">
      <h1 class="visually-hidden">Status of the daemon</h1>
      <noscript><p class="nothing">This page is drawn by a script. The same facts are at <a href="${base}/api/status">/api/status</a>.</p></noscript>
      <section id="overall" aria-label="Is everything fine?" data-part="overall">
        <div class="headline"><p class="message">Asking …</p></div>
      </section>
      <p class="visually-hidden" role="status" aria-live="polite" data-part="announcement"></p>
      <ul id="bans" aria-label="Sources that are not asked now" data-part="bans"></ul>${parts.map((part) => section(part, base, controls)).join('')}
    </main>
    <footer data-part="footer"></footer>`

// Not executed, and cannot end its element.
const element = ({ request, answer }: FirstAnswer): string => `
    <script type="application/json" data-request="${request.replaceAll('&', '&amp;')}">${JSON.stringify(answer).replaceAll('<', '\\u003c')}</script>`

/** The page, then each answer as it arrives. */
export function openPage(files: PageFiles, base: string, jobs: readonly AnyJob[]) {
  const jobNames = [...jobs.map(({ name }) => name), ...askedByCommand].toSorted()
  const places = beginPage(files, {
    base,
    script: 'status',
    title: 'Beacon',
    tools: searchForm,
    beforeMain: sectionLinks + seriesFilters,
    main: mainOf(base, new Map([['runs', runFilters(jobNames)]])),
  })
  return async function* (answers: AsyncIterable<FirstAnswer>): AsyncGenerator<string, void, undefined> {
    yield places
    for await (const answer of answers) yield element(answer)
    yield endPage
  }
}
