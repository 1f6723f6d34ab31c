import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import type { Pool } from 'pg'
import { describe, expect, vi } from 'vitest'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import { hour, minute, second, toInstant } from '../../src/market/instant.ts'
import { openCounters } from '../../src/metrics/counters.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { freePort } from '../../src/runtime/free-port.ts'
import { Releases } from '../../src/runtime/release.ts'
import { readDatabaseFigures } from '../../src/store/figures/database-figures.ts'
import { writeSample } from '../../src/store/figures/database-samples.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { readText } from '../ground/project.ts'
import { plus } from '../support/at.ts'
import { ask } from '../web/asking.ts'
import { done, storeOrdinaryDay, storeRun } from '../web/sample.ts'
import { serve, settingsFor, silent, test } from '../web/serving.ts'
import { alertCases, type Series } from './alert-cases.ts'

const run = promisify(execFile)
const within = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 60_000, interval: 250 })
const rulesFile = new URL('../../docs/monitoring/alerts.yaml', import.meta.url).pathname

const onPath = (name: string): string | undefined =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path))

const promtool = onPath('promtool')
const prometheus = onPath('prometheus')
const missing =
  promtool && prometheus ? '' : ' (left out: Prometheus is not installed; apt-get install prometheus)'

const { groups } = z
  .object({
    groups: z.array(z.object({ rules: z.array(z.object({ alert: z.string(), expr: z.string() })) })),
  })
  .parse(parse(readText('docs/monitoring/alerts.yaml')))
const rules = groups.flatMap((group) => group.rules)

const { panels } = z
  .object({
    panels: z.array(
      z.object({ title: z.string(), targets: z.array(z.object({ expr: z.string() })).default([]) }),
    ),
  })
  .parse(JSON.parse(readText('docs/monitoring/grafana-dashboard.json')))
const queries = panels.flatMap(({ title, targets }) =>
  targets.map(({ expr }) => ({ title, expr: expr.replaceAll('$source', '.*') })),
)

const inFolder = async <T>(work: (folder: string) => Promise<T>): Promise<T> => {
  const folder = await mkdtemp(join(tmpdir(), 'beacon-prometheus-'))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

const ruleTest = (alert: string, minutes: number, series: Series, firing: number) => ({
  interval: '1m',
  input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
  promql_expr_test: [
    {
      expr: `count(ALERTS{alertname="${alert}",alertstate="firing"})`,
      eval_time: `${minutes}m`,
      exp_samples: firing === 0 ? [] : [{ labels: '{}', value: firing }],
    },
  ],
})

const checkRules = (tests: readonly object[]) =>
  inFolder(async (folder) => {
    const file = join(folder, 'tests.yaml')
    await writeFile(file, stringify({ rule_files: [rulesFile], evaluation_interval: '1m', tests }))
    return run(promtool ?? '', ['test', 'rules', file])
  })

test('every alert has a case in which it fires, and one in which it must not', () => {
  expect(alertCases.map(({ alert }) => alert)).toEqual(rules.map(({ alert }) => alert))
})

describe.skipIf(missing !== '')(`the alert rules in Prometheus${missing}`, () => {
  test.for(alertCases)('$alert fires in its case and is silent otherwise', async (one) => {
    const { alert, minutes, fires, silent: otherwise } = one
    await checkRules([ruleTest(alert, minutes, fires, 1), ruleTest(alert, minutes, otherwise, 0)])
  })

  test('are all silent while nothing is wrong', async () => {
    const healthy: Series = Object.assign({}, ...alertCases.map((one) => one.silent))
    await checkRules([
      {
        interval: '1m',
        input_series: Object.entries(healthy).map(([series, values]) => ({ series, values })),
        promql_expr_test: [{ expr: 'ALERTS{alertstate="firing"}', eval_time: '3h', exp_samples: [] }],
      },
    ])
  })
})

/** One of everything, counted by the fleet after the first scrape saw it at 0. */
async function countSomething(pool: Pool): Promise<void> {
  const counters = openCounters({ pool, clock: systemClock, log: silent })
  counters.add('requests', { source: 'binance', outcome: 'ok' }, 43)
  counters.add('budgetPoints', { source: 'binance', lane: 'live' }, 86)
  counters.add('runs', { task: 'refresh-views', queue: 'maintenance', status: 'failed' })
  counters.add('candles', { source: 'binance', timeframe: '1m', result: 'new' }, 600)
  counters.observe('requestDuration', { source: 'binance' }, 0.3)
  counters.observe('runDuration', { task: 'ingest-candles' }, 2)
  await counters.flush()
}

async function sampleDatabase(pool: Pool): Promise<void> {
  for (const ago of [2, 1]) {
    const figures = { ...(await readDatabaseFigures(databaseOf(pool))), diskFreeBytes: 5_000_000 }
    const counters = {
      ...figures.counters,
      activeMs: 90 / ago,
      transactions: 9 / ago,
      indexScans: 9 / ago,
      blocksHit: 9 / ago,
    }
    await writeSample(pool, plus(systemClock.now(), -ago * minute), { ...figures, counters }, toInstant(0))
  }
}

async function startPrometheus(targets: readonly string[], folder: string, releases: Releases) {
  const config = join(folder, 'prometheus.yaml')
  await writeFile(
    config,
    stringify({
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: [rulesFile],
      scrape_configs: [{ job_name: 'beacon', static_configs: [{ targets }] }],
    }),
  )
  const port = await freePort(0)
  const server = spawn(
    prometheus ?? '',
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  )
  releases.push(async () => {
    const ended = once(server, 'exit')
    server.kill('SIGTERM')
    await ended
  })
  const answer = z.object({ data: z.object({ result: z.array(z.unknown()) }) })
  return async (query: string): Promise<unknown[]> => {
    const { status, text } = await ask(
      `http://127.0.0.1:${port}/api/v1/query?${new URLSearchParams({ query })}`,
    )
    if (status !== 200) throw new Error(`${query}: ${text}`)
    return answer.parse(JSON.parse(text)).data.result
  }
}

describe.skipIf(missing !== '')(`a real scrape${missing}`, () => {
  test('has names that promtool accepts, keeps our labels, and answers every panel', async ({
    freshDatabase,
    engine,
  }) => {
    const releases = new Releases()
    const { pool } = freshDatabase
    const now = systemClock.now()
    await storeOrdinaryDay(pool, settingsFor(), now)
    await storeRun(pool, {
      job: 'ensure-partitions',
      queue: 'maintenance',
      startedAt: plus(now, -4 * hour),
      end: done({}),
    })
    await pool.query(`delete from ingest_runs where job = 'ensure-partitions' and started_at > $1`, [
      new Date(now - 3.5 * hour),
    ])
    await sampleDatabase(pool)
    const startedAt = plus(now, -hour)
    const pauses = async () => [{ source: 'okx', kind: 'slow-down', leftMs: 7 * second } as const]
    await engine.queue('coingecko').pause()
    await engine.queue('coingecko').add('sync-coins', {})
    await inFolder(async (folder) => {
      try {
        const options = { clock: systemClock, startedAt }
        const web = await serve({ database: freshDatabase, engine }, { ...options, pauses })
        releases.push(web.close)
        const blind = await serve(
          { database: freshDatabase, engine },
          { ...options, pauses: () => Promise.reject(new Error('gone')) },
        )
        releases.push(blind.close)
        await writeFile(join(folder, 'metrics'), (await ask(`${web.url}/metrics`)).text)
        const { stdout } = await run('sh', [
          '-c',
          `${promtool} check metrics < ${join(folder, 'metrics')} 2>&1`,
        ])
        expect(stdout).toBe('')

        const query = await startPrometheus(
          [web, blind].map(({ url }) => new URL(url).host),
          folder,
          releases,
        )
        await within(async () => expect(await query('up{job="beacon"} == 1').catch(() => [])).toHaveLength(2))
        await within(async () =>
          expect(await query('beacon_job_runs_total{status="failed",task="refresh-views"}')).toHaveLength(2),
        )
        await countSomething(pool)
        for (const { title, expr } of queries) {
          await within(async () =>
            expect([title, expr, (await query(expr)).length > 0]).toEqual([title, expr, true]),
          )
        }
        expect(await query('{exported_job!=""}')).toEqual([])
        const firing = (alert: string) => query(rules.find((rule) => rule.alert === alert)?.expr ?? '')
        expect(await firing('BeaconPartitionsNotEnsured')).toHaveLength(2)
        expect(await firing('BeaconJobOverdue')).toEqual([])
        await within(async () =>
          expect(await firing('BeaconRunsFailing')).toMatchObject([
            { metric: { task: 'refresh-views', queue: 'maintenance' } },
          ]),
        )
      } finally {
        await releases.release()
      }
    })
  })
})
