import { describe, expect, test } from 'vitest'
import { backfillCandles } from '../../jobs/backfill-candles.ts'
import { traceIdOf } from '../../src/queue/job-trace.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { readVersion } from '../../src/settings/version.ts'
import { eventually } from '../queue/fleet.ts'
import { engines } from '../support/database.ts'
import { type OtlpReceiver, openOtlpReceiver, outline, type ReceivedSpan } from '../support/otlp-receiver.ts'
import { openTracedFleet, password, type TracedFleet } from './traced-fleet.ts'

const chunk = {
  source: 'binance',
  symbol: 'BTCUSDT',
  coinId: 'bitcoin',
  timeframe: '1m',
  from: '2024-03-01T00:00:00.000Z',
  to: '2024-03-01T16:00:00.000Z',
} as const
const candles = 16 * 60

/** Runs the work of a source until so many jobs of its queue have ended, and returns what the collector was sent. */
async function tracesOf(fleet: TracedFleet, collector: OtlpReceiver, jobs: number): Promise<ReceivedSpan[]> {
  await fleet.work(['binance'])
  const queue = fleet.engine.queue('binance')
  await eventually(async () => (await queue.getJobCountByTypes('completed', 'failed')) >= jobs).toBe(true)
  await fleet.stop()
  return collector.spans()
}

/** Reading and writing a single statement is left out: how often that is done depends on the engine. */
const worthTelling = ({ attributes }: ReceivedSpan): boolean => attributes['beacon.purpose'] !== 'answer'

const treeOf = (spans: readonly ReceivedSpan[]): string[] =>
  outline(spans.filter(worthTelling), ({ name, error }) => (error === undefined ? name : `${name}: ${error}`))

const named = (spans: readonly ReceivedSpan[], name: string): ReceivedSpan => {
  const found = spans.find((span) => span.name === name)
  if (!found) throw new Error(`there is no span ${name} among ${spans.map((span) => span.name)}`)
  return found
}

const whole = (spans: readonly ReceivedSpan[], { traceId }: ReceivedSpan): ReceivedSpan[] =>
  spans.filter((span) => span.traceId === traceId)

describe.each(engines)('the trace of a job on %s', (engine) => {
  test('leads from the queue to the commit', async () => {
    await using collector = await openOtlpReceiver()
    await using fleet = await openTracedFleet(engine, collector.url)
    const before = systemClock.now()
    await fleet.context.enqueue(backfillCandles, [chunk])
    const [queuedJob] = await fleet.engine.queue('binance').getJobs(['prioritized'])
    const spans = await tracesOf(fleet, collector, 1)
    expect([...new Set(spans.map(({ traceId }) => traceId))]).toEqual([queuedJob && traceIdOf(queuedJob)])
    expect(treeOf(spans)).toEqual([
      'queued backfill-candles',
      '  wait',
      '  run backfill-candles',
      '    GET binance',
      '      budget',
      '    parse',
      '    check',
      '    load',
      '      partition',
      '      transaction',
      '        connect',
      '        COPY',
      '        coverage',
      '        commit',
    ])
    const [queued, waited, run] = ['queued backfill-candles', 'wait', 'run backfill-candles'].map((name) =>
      named(spans, name),
    )
    expect(queued?.kind).toBe('producer')
    expect(queued?.startMs).toBeGreaterThanOrEqual(before)
    expect(waited?.startMs).toBe(queued?.startMs)
    expect(waited?.endMs).toBeLessThanOrEqual((run?.startMs ?? 0) + 1)
    expect(run?.kind).toBe('consumer')
    const { rows } = await fleet.context.pool.query('select id, job_id from ingest_runs')
    expect(run?.attributes).toMatchObject({
      'messaging.destination.name': 'binance',
      'messaging.message.id': rows[0].job_id,
      'beacon.job': 'backfill-candles',
      'beacon.attempt': 1,
      'beacon.run_id': rows[0].id,
      'beacon.source': 'binance',
      'beacon.timeframe': '1m',
      'beacon.coin': 'bitcoin',
      'beacon.outcome.new': candles,
    })
    expect(run?.resource).toMatchObject({ 'service.name': 'beacon-ingest', 'service.version': readVersion() })
    const { attributes: asked } = named(spans, 'GET binance')
    expect(asked).toMatchObject({
      'server.address': '127.0.0.1',
      'url.path': '/api/v3/klines',
      'http.response.status_code': 200,
      'beacon.weight': 2,
      'beacon.lane': 'backfill',
    })
    expect(asked['beacon.budget.wait_ms']).toBeGreaterThanOrEqual(0)
    expect(new URLSearchParams(String(asked['url.query'])).get('symbol')).toBe('BTCUSDT')
    expect(named(spans, 'load').attributes).toMatchObject({ 'beacon.rows.new': candles, 'beacon.pages': 1 })
    expect(named(spans, 'COPY').attributes).toMatchObject({
      'db.collection.name': 'public.ohlcv_data_1m_y2024m03d01',
      'beacon.rows': candles,
    })
  })

  test('tells no password, and nothing of it is sent to an exchange', async () => {
    await using collector = await openOtlpReceiver()
    await using fleet = await openTracedFleet(engine, collector.url)
    await fleet.context.enqueue(backfillCandles, [chunk])
    const spans = await tracesOf(fleet, collector, 1)
    expect(fleet.heard.map(({ authorization }) => authorization)).toEqual([
      `Basic ${Buffer.from(`reader:${password}`).toString('base64')}`,
    ])
    expect(fleet.heard.flatMap(Object.keys).filter((name) => /^(trace|baggage|b3|x-b3)/.test(name))).toEqual(
      [],
    )
    expect(spans.length).toBeGreaterThan(10)
    expect(collector.bodies.join('')).not.toMatch(new RegExp(`${password}|reader|Basic`))
  })

  test('has every attempt in it, and the failed ones say why', async () => {
    await using collector = await openOtlpReceiver()
    await using fleet = await openTracedFleet(engine, collector.url)
    fleet.exchange.setFaults([{ when: { first: 1 }, fault: { name: 'server-error', status: 500 } }])
    await fleet.context.enqueue(backfillCandles, [chunk])
    const spans = await tracesOf(fleet, collector, 1)
    const reason = 'binance is unavailable: An unknown error occurred while processing the request. (-1000)'
    expect(treeOf(spans).slice(0, 7)).toEqual([
      'queued backfill-candles',
      '  wait',
      `  run backfill-candles: ${reason}`,
      `    GET binance: ${reason}`,
      '      budget',
      '  run backfill-candles',
      '    GET binance',
    ])
    const [failed, done] = spans.filter(({ name }) => name === 'run backfill-candles')
    expect(failed?.attributes).toMatchObject({
      'beacon.attempt': 1,
      'beacon.next': 'retry',
      'beacon.will_retry': true,
      'error.type': 'UNAVAILABLE',
    })
    expect(failed?.exceptions).toMatchObject([
      { 'exception.type': 'Unavailable', 'exception.message': reason },
    ])
    expect(done?.attributes).toMatchObject({ 'beacon.attempt': 2, 'beacon.outcome.new': candles })
    expect(named(spans, 'GET binance').attributes).toMatchObject({ 'http.response.status_code': 500 })
  })

  test('goes on where the source has attributesOf it to wait, and waited in its queue once', async () => {
    await using collector = await openOtlpReceiver()
    await using fleet = await openTracedFleet(engine, collector.url)
    fleet.exchange.setFaults([{ when: { first: 1 }, fault: { name: 'rate-limited', retryAfterSeconds: 1 } }])
    await fleet.context.enqueue(backfillCandles, [chunk])
    const spans = await tracesOf(fleet, collector, 1)
    expect(treeOf(spans).filter((line) => /^ {0,2}\S/.test(line))).toEqual([
      'queued backfill-candles',
      '  wait',
      expect.stringMatching(/^ {2}run backfill-candles: binance rate-limits this address/),
      '  run backfill-candles',
    ])
    expect(named(spans, 'run backfill-candles').attributes).toMatchObject({ 'beacon.next': 'wait' })
  })

  test('begins with a tick for each tick, and knows which run enqueued it', async () => {
    await using collector = await openOtlpReceiver()
    await using fleet = await openTracedFleet(engine, collector.url)
    const template = { name: 'ingest-candles', data: { source: 'binance', timeframe: '1m' } }
    await fleet.engine
      .queue('binance')
      .upsertJobScheduler('every-second', { pattern: '* * * * * *' }, template)
    // The first of them leaves the older history to a backfill.
    const spans = await tracesOf(fleet, collector, 3)
    const ticks = spans.filter(({ name }) => name === 'tick ingest-candles')
    expect(ticks.length).toBeGreaterThanOrEqual(2)
    expect(new Set(ticks.map(({ traceId }) => traceId)).size).toBe(ticks.length)
    for (const tick of ticks) {
      expect(treeOf(whole(spans, tick)).slice(0, 3)).toEqual([
        'tick ingest-candles',
        '  wait',
        '  run ingest-candles',
      ])
    }
    // They begin when they were due, however late they were taken.
    expect(ticks.filter(({ startMs }) => startMs % 1_000 !== 0)).toEqual([])
    const [first] = ticks
    const enqueued = named(spans, 'enqueue backfill-candles')
    expect(enqueued).toMatchObject({ traceId: first?.traceId, kind: 'producer' })
    const queued = named(spans, 'queued backfill-candles')
    expect(queued.links).toMatchObject([{ traceId: enqueued.traceId, spanId: enqueued.spanId }])
    expect(treeOf(whole(spans, queued)).slice(0, 3)).toEqual([
      'queued backfill-candles',
      '  wait',
      '  run backfill-candles',
    ])
  })
})
