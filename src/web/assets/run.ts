// The page of a run: what it was given, what came of it, and what its job has written.
import type { RunAnswer } from '../run-api.ts'
import { ask, base } from './ask.ts'
import { type Child, draw, h } from './elements/dom.ts'
import { took } from './elements/words.ts'
import { about, followErrors, nothing, outcome, time } from './elements.ts'
import { boardLink, seriesLink } from './links.ts'
import { part } from './part.ts'
import { runTable } from './runs.ts'

const { run: id } = document.getElementById('main')?.dataset ?? {}
const refreshMs = 5_000

const text = (value: unknown): HTMLElement =>
  h('pre', { class: 'run-text', tabindex: 0 }, JSON.stringify(value, undefined, 2))

function drawHead({ run, job }: RunAnswer): void {
  const { coinId, timeframe } = run.subject
  draw(
    part('head'),
    h('h1', {}, run.job),
    h('span', { class: 'faint' }, about(run.subject)),
    outcome(run),
    h(
      'span',
      { class: 'faint' },
      'began ',
      time(run.startedAt, run.startedAt.slice(0, 19).replace('T', ' ')),
      ' UTC',
    ),
    run.tookMs !== null && h('span', { class: 'faint' }, `took ${took(run.tookMs)}`),
    coinId !== undefined && timeframe !== undefined && seriesLink(coinId, timeframe),
    job?.trace && traceLink(job.trace),
    job && boardLink(run.queue, run.jobId, 'Job on the board'),
    h('a', { href: `${base}/#runs` }, 'All runs'),
  )
  document.title = `${run.job} · Beacon`
}

const traceLink = ({ id: traceId, url }: Readonly<{ id: string; url: string | null }>): HTMLElement =>
  url === null
    ? h('span', { class: 'faint' }, 'trace ', h('code', {}, traceId))
    : h('a', { href: url }, 'Trace')

function show(answer: RunAnswer): void {
  const { run, payload, outcome: counted, job } = answer
  drawHead(answer)
  draw(
    part('result'),
    runTable([run], run.finishedAt ?? run.startedAt),
    failures(run.failures),
    counted !== null && text(counted),
  )
  draw(part('parameters'), text(payload))
  const lines = job?.lines ?? []
  draw(
    part('log'),
    lines.length > 0
      ? h('pre', { class: 'run-text', tabindex: 0 }, lines.join('\n'))
      : nothing(job ? 'The job has written nothing.' : 'The queue no longer has this job.'),
  )
}

const failures = (failed: RunAnswer['run']['failures']): Child =>
  failed.length > 0 &&
  h(
    'ul',
    { class: 'commands' },
    failed.map(({ coinId, error }) => h('li', {}, h('span', {}, h('b', {}, coinId), ` ${error}`))),
  )

async function refresh(): Promise<void> {
  if (id === undefined) return
  const answer = await ask(`/api/run?${new URLSearchParams({ id })}`)
  if (!answer.run) {
    draw(part('result'), nothing(answer.error ?? 'The daemon does not answer.'))
    return
  }
  show(answer)
  if (answer.run.status === 'running') setTimeout(() => void refresh(), refreshMs)
}

if (id !== undefined) followErrors(part('result'), () => void refresh())
void refresh()
