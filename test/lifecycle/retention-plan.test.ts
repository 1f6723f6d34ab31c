import { describe, expect, test } from 'vitest'
import { day, type Instant, toMinuteText } from '../../src/market/instant.ts'
import { readSettings } from '../../src/settings.ts'
import type { Hold } from '../../src/store/lifecycle/partition-holds.ts'
import {
  type CountedPartition,
  planRetention,
  type RetentionPolicy,
  retentionPolicies,
} from '../../src/store/lifecycle/retention.ts'
import { at } from '../store/loading.ts'
import { plus } from '../support/at.ts'

const table = { name: 'market_data', length: 'day' } as const
const policy: RetentionPolicy = { table, keepMs: 30 * day, ending: 'roll-up' }
const now = at('2024-05-01T00:00:00Z')

let partitions = 0
const aPartition = (from: Instant, rows = 100, to = plus(from, day)): CountedPartition => ({
  oid: ++partitions,
  schema: 'public',
  table: table.name,
  name: `leaf of ${toMinuteText(from)}`,
  range: { from, to },
  bytes: 8_192,
  estimatedRows: 0,
  isAnalyzed: true,
  qualifiedName: '',
  bounds: '',
  relation: 'table',
  isDetachPending: false,
  rows,
  isExact: true,
})

const measured = (...daysAgo: number[]) => daysAgo.map((days) => aPartition(plus(now, -days * day)))
const conditions = {
  now,
  restored: new Map<number, Instant>(),
  holds: new Map<number, Hold>(),
  accepted: new Map<string, number>(),
  agreed: false,
}

const decisions = (partitions: readonly CountedPartition[], more: Partial<typeof conditions> = {}) =>
  planRetention([policy], partitions, { ...conditions, ...more }).map(({ decision }) => decision)

describe('the policies of the configuration', () => {
  test('are those of the schema document', () => {
    expect(
      retentionPolicies(readSettings({})).map(({ table: { name }, ...rest }) => ({ name, ...rest })),
    ).toEqual([
      { name: 'ohlcv_data_1m', keepMs: 7 * day, ending: 'drop' },
      { name: 'ohlcv_data_5m', keepMs: 30 * day, ending: 'drop' },
      { name: 'ohlcv_data_1h', keepMs: 90 * day, ending: 'archive' },
      { name: 'market_data', keepMs: 30 * day, ending: 'roll-up' },
    ])
    expect(Object.entries(readSettings({}).retention.notifications ?? {})).toEqual([
      ['by', 'created_at'],
      ['keep', 90 * day],
      ['then', 'archive'],
    ])
  })
})

describe('what a run would let go of', () => {
  test('is what ended as long ago as it is kept, to the millisecond', () => {
    const partitions = measured(31, 1, 0)
    expect(decisions(partitions)).toEqual(['goes', 'stays', 'stays'])
    expect(decisions(partitions, { now: plus(now, -1) })).toEqual(['stays', 'stays', 'stays'])
  })

  test('goes by the bounds, whatever the name says and however long the leaf is', () => {
    const first = plus(now, -400 * day)
    const yearLong = { ...aPartition(first, 10, plus(now, -29 * day)), name: 'market_data_y2019m01d01' }
    expect(decisions([yearLong, ...measured(2, 1)])).toEqual(['stays', 'stays', 'stays'])
    const [planned] = planRetention([policy], [yearLong], conditions)
    expect(planned?.reason).toBe('kept until 2024-05-02 00:00')
  })

  test('is held back where it is more than half of the measured or of the rows, until somebody agrees', () => {
    expect(decisions(measured(33, 32, 1, 0))).toEqual(['goes', 'goes', 'stays', 'stays'])
    expect(decisions(measured(33, 32, 31, 1, 0))).toEqual([
      'held-back',
      'held-back',
      'held-back',
      'stays',
      'stays',
    ])
    const heavy = [aPartition(plus(now, -40 * day), 301), ...measured(2, 1, 0)]
    expect(decisions(heavy)).toEqual(['held-back', 'stays', 'stays', 'stays'])
    expect(decisions(heavy, { agreed: true })).toEqual(['goes', 'stays', 'stays', 'stays'])
    expect(planRetention([policy], heavy, conditions)[0]).toMatchObject({
      wantsAgreement: true,
      reason: 'ended more than 30 days ago, but more than half of market_data would be deleted at once',
    })
  })

  test('needs no agreement for what was old enough by the accepted policy, however much it has become', () => {
    const accepted = new Map([[table.name, 30 * day]])
    expect(decisions(measured(70, 60, 50, 40, 31), { accepted })).toEqual(Array(5).fill('goes'))
    // Forty days away: all but what was loaded since.
    expect(decisions([aPartition(plus(now, -35 * day), 5_000), ...measured(0)], { accepted })).toEqual([
      'goes',
      'stays',
    ])
  })

  test('needs one for what only a lowered keep makes old, and deletes the rest meanwhile', () => {
    const accepted = new Map([[table.name, 60 * day]])
    const partitions = measured(62, 61, 50, 40, 35, 34, 1)
    expect(decisions(partitions, { accepted })).toEqual([
      ...['goes', 'goes'],
      ...['held-back', 'held-back', 'held-back', 'held-back'],
      'stays',
    ])
    expect(decisions(measured(62, 40, 1, 0), { accepted })).toEqual(['goes', 'goes', 'stays', 'stays'])
    const [, , waiting] = planRetention([policy], partitions, { ...conditions, accepted })
    expect(waiting?.reason).toMatch(/because its keep was lowered from 60 days to 30 days$/)
    expect(decisions(measured(40, 35), { accepted: new Map([[table.name, Infinity]]) })).toEqual([
      'held-back',
      'held-back',
    ])
  })

  test('needs no agreement where nothing is in it', () => {
    const empty = [40, 39, 38].map((days) => aPartition(plus(now, -days * day), 0))
    expect(decisions([...empty, aPartition(now, 0)])).toEqual(['goes', 'goes', 'goes', 'stays'])
  })

  test('leaves alone what was put back from the archive, and does not count it', () => {
    const partitions = measured(34, 33, 32, 1, 0)
    const until = at('2024-05-08T00:00:00Z')
    const restored = new Map(partitions.slice(0, 2).map(({ oid }) => [oid, until]))
    expect(decisions(partitions, { restored })).toEqual(['held-back', 'held-back', 'goes', 'stays', 'stays'])
    expect(planRetention([policy], partitions, { ...conditions, restored })[0]?.reason).toMatch(
      'rows in it were restored from the archive and stay until 2024-05-08 00:00',
    )
  })

  test('leaves alone what somebody else holds, and does not count it', () => {
    const partitions = measured(34, 33, 32, 1, 0)
    const hold: Hold = { kind: 'object', reason: 'a view depends on it', remedy: 'drop view a' }
    const holds = new Map(partitions.slice(0, 2).map(({ oid }) => [oid, hold]))
    expect(decisions(partitions, { holds })).toEqual(['held-back', 'held-back', 'goes', 'stays', 'stays'])
    expect(planRetention([policy], partitions, { ...conditions, holds })[0]).toMatchObject({
      hold,
      reason: 'ended more than 30 days ago, but a view depends on it: drop view a',
    })
  })

  test('is nothing of a table without a policy', () => {
    expect(planRetention([], measured(400), conditions)).toEqual([])
  })
})
