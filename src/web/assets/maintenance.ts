// Each job's last and next run, and below it the archive and the next retention run.

import type { Maintenance } from '../../status/maintenance.ts'
import type { Status } from '../../status/status.ts'
import { ask } from './ask.ts'
import { type Child, draw, h } from './elements/dom.ts'
import { age, counted, secondsBetween, took, until } from './elements/words.ts'
import { type Column, cell, errorRow, followErrors, outcome, table, time } from './elements.ts'
import { drawArchives } from './maintenance/archives.ts'
import { drawRetention } from './maintenance/retention.ts'

type Places = Readonly<Record<'jobs' | 'archives' | 'retention', Element>>

/** The result requests and draws. */
export function openMaintenance(places: Places): (status: Status) => Promise<void> {
  let redrawJobs = () => {}
  followErrors(places.jobs, () => redrawJobs())
  return async ({ generatedAt }) => {
    const [{ jobs, archives }, plan] = await Promise.all([ask('/api/maintenance'), ask('/api/retention')])
    // Unreachable daemons are shown elsewhere.
    if (jobs) {
      redrawJobs = () => drawJobs(places.jobs, jobs, generatedAt)
      redrawJobs()
    }
    if (archives) drawArchives(places.archives, archives)
    if (plan.partitions) drawRetention(places.retention, plan, generatedAt)
  }
}

const jobColumns: readonly Column[] = [
  ['Job'],
  ['Last run', 'number'],
  ['Took', 'number'],
  ['Result'],
  ['Next run', 'number'],
]

function drawJobs(place: Element, jobs: Maintenance['jobs'], now: string): void {
  const rows = jobs.flatMap(({ job, summary, schedules, nextRun, lastRun }): Child[] => [
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
      cell('result', '', lastRun && outcome(lastRun)),
      cell(
        'next',
        'number',
        nextRun === null
          ? h('span', { class: 'faint' }, 'when asked')
          : time(nextRun, until(secondsBetween(now, nextRun))),
        schedules > 1 && h('span', { class: 'faint' }, ` · ${counted(schedules, 'schedule')}`),
      ),
    ),
    lastRun?.error ? errorRow(`job ${job}`, jobColumns.length, lastRun.error) : null,
  ])
  draw(place, table('When each job ran and runs next', jobColumns, rows, { class: 'cards' }))
}
