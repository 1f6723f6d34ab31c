import { expect, test } from 'vitest'
import { jobs } from '../../jobs/catalog.ts'
import { plus, second } from '../../src/market/instant.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { announceRoles } from '../../src/runtime/presence.ts'
import { readSettings } from '../../src/settings.ts'
import { listCoins } from '../../src/store/coins.ts'
import { finishRun, startRun } from '../../src/store/runs.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { recordingLog } from '../queue/fleet.ts'
import { findings, found } from './support/findings.ts'
import { openSite, type Site } from './support/site.ts'

// Several processes, one after another on a loaded machine.
const patient = { timeout: 150_000 }

/** As if everything that is due now had run well, and what is due within the next minute. */
async function runEverything({ database: { pool }, variables }: Site): Promise<void> {
  const db = databaseOf(pool)
  const coins = await listCoins(db)
  for (const job of jobs) {
    for (const { payload } of job.schedules?.(readSettings(variables), coins) ?? []) {
      const queue = job.queueOf(payload)
      const startedAt = plus(systemClock.now(), 45 * second)
      const runId = await startRun(db, { job: job.name, queue, jobId: '1', attempt: 1, payload, startedAt })
      await finishRun(db, runId, { status: 'done', outcome: {} }, startedAt)
    }
  }
}

test.concurrent(
  'a daemon that is missing is named, as an error once something was due',
  patient,
  async () => {
    await using site = await openSite({ config: 'track: [bitcoin]\n' })
    const { url } = site.database
    const check = async () => {
      const [report] = await site.runLines(['doctor --json'])
      if (!report) throw new Error('the line has ended')
      return findings(report, 'processes').map(({ severity, remedy }) => [severity, remedy])
    }
    expect(await check()).toEqual([['error', 'npx beacon start']])
    await runEverything(site)
    expect(await check()).toEqual([['warning', 'npx beacon start']])
    const worker = await announceRoles(url, ['worker'], 'postgres', recordingLog())
    expect(await check()).toEqual([
      ['warning', 'npx beacon start --roles scheduler'],
      ['warning', 'npx beacon start --roles web'],
    ])
    const others = await announceRoles(url, ['scheduler', 'web'], 'postgres', recordingLog())
    expect(await check()).toEqual([])
    await site.database.pool.query("delete from ingest_runs where job = 'enforce-retention'")
    const [report] = await site.runLines(['doctor --json'])
    expect(report && findings(report, 'runs')).toEqual([])
    await worker.release()
    await site.database.pool.query('delete from ingest_runs')
    expect(await check()).toEqual([['error', 'npx beacon start --roles worker']])
    await others.release()
  },
)

test.concurrent(
  'partitions that somebody else has made are named, with what they prevent',
  patient,
  async () => {
    await using site = await openSite({ config: 'track: [bitcoin]\n' })
    await site.runLines(['partitions ensure'])
    const { pool } = site.database
    await pool.query(`
    create schema "Other";
    create table "Other".mine partition of ohlcv_data_1m for values from ('2024-03-01 05:00') to ('2024-03-02 05:00');
    create table renamed partition of ohlcv_data_1h for values from ('2024-03-01') to ('2024-04-01');
    create table leftovers partition of market_data default`)
    const [report, list, ensured, listJson] = await site.runLines([
      'doctor --json',
      'partitions list',
      'partitions ensure',
      'partitions list --json',
    ])
    if (!report) throw new Error('the lines have ended')
    expect(findings(report, 'partitions')).toMatchObject([
      {
        ...found(/^public\.leftovers is the DEFAULT partition of market_data/, /^In psql: do \$\$/),
      },
      {
        ...found(
          /^public\.renamed .* another name than ohlcv_data_1h_y2024m03/,
          /^alter table public\."renamed" rename/,
        ),
        severity: 'warning',
      },
      {
        ...found(
          /^"Other"\.mine \(FOR VALUES FROM \('2024-03-01 05:00:00'\) TO \('2024-03-02 05:00:00'\)\) .* other bounds than a day/,
          /To replace it: begin; alter table public\.ohlcv_data_1m detach partition "Other"\.mine; .*commit$/,
        ),
        severity: 'warning',
      },
    ])
    expect(list?.stdout).toMatch(
      /^ohlcv_data_1m +"Other"\.mine +2024-03-01 05:00 +2024-03-02 05:00 .* other bounds$/m,
    )
    expect(list?.stdout).toMatch(/^market_data +leftovers .* default partition$/m)
    expect(JSON.parse(listJson?.stdout ?? '').partitions).toContainEqual(
      expect.objectContaining({
        schema: 'Other',
        name: 'mine',
        irregular: expect.objectContaining({ kind: 'bounds' }),
      }),
    )
    expect(ensured).toMatchObject({ code: 0, stdout: 'All of them are there.\n' })
    expect(ensured?.stderr).toMatch(/^note: "Other"\.mine .*; see: beacon doctor$/m)
  },
)
