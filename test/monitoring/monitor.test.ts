import { expect } from 'vitest'
import { signatureOf } from '../../src/http/webhook.ts'
import { day, minute } from '../../src/market/instant.ts'
import { seenFrom } from '../../src/status/readiness/findings.ts'
import { readHiddenFigures } from '../../src/store/connection/monitoring-rights.ts'
import { readIndexUsage, readSlowStatements } from '../../src/store/figures/database-figures.ts'
import { ratesOf, readSamples } from '../../src/store/figures/database-samples.ts'
import { listIncidents, listOpenIncidents, reconcileIncidents } from '../../src/store/incidents.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { follow } from '../ingest/working.ts'
import { halfPast } from '../replay/playing.ts'
import { createTestDatabase, installedPostgres } from '../support/database.ts'
import { openTestEngine, test } from '../web/serving.ts'
import { receive, secret, watch } from './watching.ts'

test('a sample of each minute is taken once by the whole fleet, and kept as long as configured', async ({
  freshDatabase: { superuser: pool, url },
}) => {
  const engine = await openTestEngine(url)
  try {
    const { monitor, another, clock } = watch({ pool, engine }, undefined)
    const db = databaseOf(pool)
    await Promise.all([monitor.check(), another.check()])
    clock.move(minute)
    await monitor.check()
    const [first, second, ...more] = await readSamples(db, (halfPast - day) as never)
    expect(more).toEqual([])
    expect(first).toMatchObject({
      averageQueryMs: null,
      cacheHitRatio: null,
      connectionsMax: expect.any(Number),
    })
    expect(second?.databaseBytes).toBeGreaterThan(1e6)
    expect(second?.diskFreeBytes).toBeGreaterThan(1e6)
    expect(second?.connectionsActive).toBeGreaterThan(0)
    clock.move(8 * day)
    await monitor.check()
    expect(await readSamples(db, halfPast)).toHaveLength(1)
  } finally {
    await engine.close()
  }
})

test('what is wrong twice in a row is told once by the whole fleet, and its end once', async ({
  freshDatabase: { pool, url },
}) => {
  const engine = await openTestEngine(url)
  await using receiver = await receive(500, 200)
  try {
    const { monitor, another, clock, log } = watch({ pool, engine }, receiver.url)
    const db = databaseOf(pool)
    const lookAll = () => Promise.all([monitor.check(), another.check()])
    await lookAll()
    expect(await listOpenIncidents(db)).toEqual([])
    clock.move(minute)
    await lookAll()
    const opened = await listOpenIncidents(db)
    const schedule = `schedule.missing ${seenFrom}`
    expect(opened.map(({ key }) => key).toSorted()).toEqual(['coins.none', 'queue.no-workers', schedule])
    const alerts = (event: string) =>
      log.events.filter((one) => one.event === event).map(({ fields }) => fields?.key)
    expect(alerts('alert.opened').toSorted()).toEqual(['coins.none', 'queue.no-workers', schedule])
    // The first answer was a failure: it is told again, and the others only once.
    clock.move(minute)
    await lookAll()
    expect(receiver.reported).toHaveLength(4)
    for (const { headers, body } of receiver.reported) {
      const sentAt = Number(headers['x-beacon-timestamp'])
      expect(headers['x-beacon-signature']).toBe(`sha256=${signatureOf(secret, sentAt as never, body)}`)
      expect(JSON.parse(body)).toMatchObject({ event: 'opened', message: expect.stringMatching(/\.$/) })
      expect(body + JSON.stringify(headers)).not.toContain(secret)
    }
    expect(JSON.stringify(log.events)).not.toContain(secret)
    await follow(pool, 'BTCUSDT')
    clock.move(minute)
    await lookAll()
    expect((await listOpenIncidents(db)).map(({ key }) => key)).not.toContain('coins.none')
    expect(alerts('alert.resolved')).toEqual(['coins.none'])
    expect(receiver.reported.map(({ body }) => JSON.parse(body)).at(-1)).toMatchObject({
      event: 'resolved',
      key: 'coins.none',
      resolvedAt: expect.any(String),
    })
    expect(await listIncidents(db, halfPast, 10)).toHaveLength(3)
  } finally {
    await engine.close()
  }
})

test('what only one process sees stays open until no process has seen it for a minute', async ({
  freshDatabase: { pool },
}) => {
  const db = databaseOf(pool)
  const ofOne = { key: 'queue.refused @a', message: 'Redis is full.' }
  const ofAll = { key: 'coins.none', message: 'No coins are tracked.' }
  const keysOf = (concerns: readonly { key: string }[]) => concerns.map(({ key }) => key)
  const opened = await reconcileIncidents(pool, [ofOne, ofAll], halfPast, false)
  expect(keysOf(opened.opened).toSorted()).toEqual([ofAll.key, ofOne.key])
  expect(keysOf((await reconcileIncidents(pool, [], halfPast, false)).resolved)).toEqual([ofAll.key])
  expect(keysOf(await listOpenIncidents(db))).toEqual([ofOne.key])
  for (const seen of ["- interval '2 minutes'", "+ interval '1 day'"]) {
    await reconcileIncidents(pool, [ofOne], halfPast, false)
    await pool.query(`update incidents set seen_at = seen_at ${seen}`)
    expect(keysOf((await reconcileIncidents(pool, [], halfPast, false)).resolved)).toEqual([ofOne.key])
  }
})

test('an index that nothing has used for a day becomes an alert, which is over when it is gone', async ({
  freshDatabase: { pool, url },
}) => {
  const engine = await openTestEngine(url)
  try {
    await pool.query(`
      create table notes as select n as id, n as other from generate_series(1, 20000) as n;
      create index idx_notes_other on notes (other)`)
    const { monitor, clock, log } = watch({ pool, engine }, undefined, {}, { unusedIndexBytes: 100_000 })
    const alerts = (event: string) =>
      log.events.flatMap(({ event: name, fields }) =>
        name === event && String(fields?.key).startsWith('database.unused-index') ? [fields?.key] : [],
      )
    await monitor.check()
    clock.move(day)
    await monitor.check()
    expect(alerts('alert.opened')).toEqual([])
    clock.move(minute)
    await monitor.check()
    expect(alerts('alert.opened')).toEqual(['database.unused-index idx_notes_other'])
    await pool.query('drop index idx_notes_other')
    clock.move(minute)
    await monitor.check()
    expect(alerts('alert.resolved')).toEqual(['database.unused-index idx_notes_other'])
  } finally {
    await engine.close()
  }
})

test('a receiver that sends elsewhere is not followed there, and is asked again later', async ({
  freshDatabase: { pool, url },
}) => {
  const engine = await openTestEngine(url)
  await using receiver = await receive(302)
  try {
    const { monitor, clock, log } = watch({ pool, engine }, receiver.url)
    await monitor.check()
    clock.move(minute)
    await monitor.check()
    const failures = log.events.filter(({ event }) => event === 'webhook.failed')
    expect(failures.map(({ fields }) => fields?.reason)).toEqual(
      Array.from({ length: failures.length }, () => 'the webhook answered with status 302'),
    )
    expect(receiver.reported).toHaveLength(3)
    clock.move(10 * minute)
    await monitor.check()
    expect(receiver.reported.length).toBeGreaterThan(3)
  } finally {
    await engine.close()
  }
})

test('rates are of the minute between, and unknown where the server began to count anew', () => {
  const before = {
    activeMs: 100,
    transactions: 10,
    blocksHit: 90,
    blocksRead: 10,
    indexScans: 8,
    tableScans: 2,
  }
  const after = {
    activeMs: 300,
    transactions: 60,
    blocksHit: 180,
    blocksRead: 20,
    indexScans: 8,
    tableScans: 2,
  }
  expect(ratesOf(before, after)).toEqual({ averageQueryMs: 4, cacheHitRatio: 0.9, indexScanRatio: null })
  expect(ratesOf(after, before)).toEqual({ averageQueryMs: null, cacheHitRatio: null, indexScanRatio: null })
})

test('indexes are told by size and use, those of partitions as their table’s', async ({ pool }) => {
  const { largest, unused } = await readIndexUsage(databaseOf(pool), 100)
  const names = largest.map(({ index }) => index)
  expect(names).toContain('idx_ohlcv_timeframe_time')
  expect(new Set(names).size).toBe(names.length)
  expect(unused.map(({ index }) => index)).not.toContain('coins_pkey')
})

test('an ordinary login sees everything but the disk, and counts the sessions of others as idle', async ({
  freshDatabase: { pool, superuser, url },
}) => {
  const engine = await openTestEngine(url)
  const other = await superuser.connect()
  try {
    const { monitor } = watch({ pool, engine }, undefined)
    await monitor.check()
    const [sample] = await readSamples(databaseOf(pool), (halfPast - day) as never)
    expect(sample).toMatchObject({ diskFreeBytes: null, databaseBytes: expect.any(Number) })
    expect(sample?.connectionsIdle).toBeGreaterThan(0)
    const hidden = await readHiddenFigures(databaseOf(pool))
    expect(hidden?.remedy).toBe('grant pg_monitor to hub_owner')
    expect(await readHiddenFigures(databaseOf(superuser))).toBeUndefined()
  } finally {
    other.release()
    await engine.close()
  }
})

test('slow statements are unknown where the server does not keep them', async ({ pool }) => {
  expect(await readSlowStatements(databaseOf(pool), 5)).toBeUndefined()
})

test.runIf(installedPostgres)(
  'slow statements are reported without what they were about, where the server keeps them',
  async () => {
    const database = await createTestDatabase(installedPostgres?.url)
    try {
      const db = databaseOf(database.pool)
      expect(await readSlowStatements(db, 5)).toBeUndefined()
      await database.superuser.query('create extension pg_stat_statements')
      await database.pool.query(`select 'a secret' as word, pg_sleep(0.02)`)
      const slow = await readSlowStatements(db, 100)
      expect(slow?.find(({ text }) => text.includes('pg_sleep'))).toMatchObject({
        text: 'select $1 as word, pg_sleep($2)',
        calls: 1,
        averageMs: expect.any(Number),
      })
    } finally {
      await database.drop()
    }
  },
)
