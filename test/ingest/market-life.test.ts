import { describe, expect, test } from 'vitest'
import { doubtOf, isRenamed, isReread } from '../../src/ingest/listing/doubt.ts'
import { evaluateLife } from '../../src/ingest/listing/market-life.ts'
import type { Trading } from '../../src/ingest/listing/trading.ts'
import { day, hour, type Instant, minute, plus } from '../../src/market/instant.ts'
import type { ListedMarket } from '../../src/sources/listing/listed-market.ts'
import type { MarketLife } from '../../src/store/coins/instruments.ts'
import type { KnownMarket } from '../../src/store/coins/listed-markets.ts'
import { at } from '../store/loading.ts'

const start = at('2022-05-01T00:00Z')

const tracked: MarketLife = {
  coinId: 'terra-luna',
  symbol: 'LUNAUSDT',
  trackedFrom: start,
  isFirst: true,
  listedTo: undefined,
  lastListedAt: start,
  missingSince: undefined,
  haltedSince: undefined,
  relistedAt: undefined,
  sharesMarket: false,
}

const trading: ListedMarket = { symbol: 'LUNAUSDT', base: 'LUNA', quote: 'USDT', trading: true }
const halted: ListedMarket = { ...trading, trading: false }

/** What becomes of a market when it is looked at, at these times after the start. */
function check(...attempts: readonly (readonly [ms: number, listed: ListedMarket | undefined])[]) {
  let life = tracked
  const news = attempts.map(([ms, listed]) => {
    const evaluated = evaluateLife(life, listed, plus(start, ms))
    life = evaluated.life
    return evaluated.news
  })
  return { life, news }
}

const instantAt = (ms: number): Instant => plus(start, ms)

describe('a market', () => {
  test('that is listed and traded is no news', () => {
    expect(check([0, trading], [day, trading])).toEqual({
      life: { ...tracked, lastListedAt: instantAt(day) },
      news: [undefined, undefined],
    })
  })

  test('that one listing leaves out lives on when the next has it', () => {
    expect(check([0, undefined], [2 * hour, trading])).toEqual({
      life: { ...tracked, lastListedAt: instantAt(2 * hour) },
      news: ['missing', 'back'],
    })
  })

  test('has ended when a second look, an hour or more later, misses it too: at the first of them', () => {
    const { life, news } = check([0, undefined], [hour - minute, undefined], [hour, undefined])
    expect(news).toEqual(['missing', undefined, 'ended'])
    expect(life).toEqual({ ...tracked, listedTo: start })
  })

  test('that comes and goes has to be missed twice in a row', () => {
    const { news } = check([0, undefined], [hour, trading], [2 * hour, undefined], [2.5 * hour, undefined])
    expect(news).toEqual(['missing', 'back', 'missing', undefined])
  })

  test('ends when its source says it did', () => {
    const delisted = { ...halted, delistedAt: instantAt(-3 * hour) }
    expect(check([0, delisted], [day, delisted])).toMatchObject({
      life: { listedTo: instantAt(-3 * hour) },
      news: ['missing', 'ended'],
    })
    expect(check([0, { ...trading, delistedAt: instantAt(day) }]).news).toEqual([undefined])
  })

  test('that is halted lives on for thirty days, and has then ended when it was halted', () => {
    const { life, news } = check([0, halted], [29 * day, halted], [30 * day, halted])
    expect(news).toEqual(['halted', undefined, 'ended'])
    expect(life.listedTo).toBe(start)
    expect(check([0, halted], [20 * day, trading], [40 * day, halted]).news).toEqual([
      'halted',
      'back',
      'halted',
    ])
  })

  test('that is halted and left out of one listing has not ended', () => {
    const { life, news } = check([0, halted], [day, undefined], [day + minute, halted])
    expect(news).toEqual(['halted', 'missing', undefined])
    expect(life.listedTo).toBeUndefined()
  })

  test('that no listing ever had is misspelt, and has not ended', () => {
    const unseen = { ...tracked, lastListedAt: undefined }
    expect(evaluateLife(unseen, undefined, instantAt(day))).toEqual({ life: unseen, news: 'unlisted' })
  })

  test('that has ended stays ended: its symbol listed again is told once', () => {
    const { life, news } = check(
      [0, undefined],
      [day, undefined],
      [2 * day, halted],
      [3 * day, trading],
      [4 * day, trading],
      [5 * day, undefined],
    )
    expect(news).toEqual(['missing', 'ended', undefined, 'relisted', undefined, undefined])
    expect(life).toEqual({ ...tracked, listedTo: start, relistedAt: instantAt(3 * day) })
  })
})

/** What the listing had under the symbol when it was last seen. */
const known = (parts: Partial<KnownMarket> = {}): KnownMarket => ({
  symbol: 'LUNAUSDT',
  base: 'LUNA',
  quote: 'USDT',
  alsoCalled: [],
  ownBase: undefined,
  baseName: undefined,
  kind: undefined,
  listedAt: undefined,
  appearedAt: instantAt(-day),
  lastSeenAt: start,
  ...parts,
})

describe('a symbol that is taken up by another market between two looks', () => {
  const relistedAt = instantAt(6 * hour)
  const anew: ListedMarket = { ...trading, listedAt: relistedAt }

  test('ends the old one when the new one was listed, though no look ever missed it', () => {
    expect(evaluateLife(tracked, anew, instantAt(day), known({ listedAt: instantAt(-9 * day) }))).toEqual({
      life: { ...tracked, listedTo: relistedAt, relistedAt: instantAt(day) },
      news: 'reused',
      foreignFrom: relistedAt,
    })
  })

  test('ends it also where the old one never reported since when it was listed', () => {
    expect(evaluateLife(tracked, anew, instantAt(day), known()).news).toBe('reused')
  })

  test('is not meant by a listing date that lies before the last look, however new to us', () => {
    const dated = { ...trading, listedAt: instantAt(-minute) }
    expect(evaluateLife(tracked, dated, instantAt(day), known())).toEqual({
      life: { ...tracked, lastListedAt: instantAt(day) },
      news: undefined,
    })
  })

  test('is not meant by a beginning that was announced, nor by one that was put off', () => {
    const announced = known({ listedAt: instantAt(3 * hour) })
    const waiting = { ...tracked, haltedSince: start }
    for (const listedAt of [instantAt(3 * hour), relistedAt])
      expect(evaluateLife(waiting, { ...trading, listedAt }, instantAt(day), announced).news).toBe('back')
  })

  test('and that a look has missed before is another when its coin is called otherwise', () => {
    const away = { ...tracked, missingSince: instantAt(day) }
    const other = { ...trading, base: 'LUNA2' }
    expect(evaluateLife(away, other, instantAt(day + minute), known())).toMatchObject({
      news: 'reused',
      life: { listedTo: instantAt(day), missingSince: undefined },
      foreignFrom: instantAt(day),
    })
    // Without such a look between, the symbol has stayed, and so has the market.
    expect(evaluateLife(tracked, other, instantAt(day), known())).toMatchObject({
      news: undefined,
      life: { lastListedAt: instantAt(day) },
    })
  })
})

describe('a new listing date', () => {
  const before = known({ listedAt: instantAt(-900 * day) })
  const redated: ListedMarket = { ...trading, listedAt: instantAt(6 * hour) }
  const evaluate = (proof: Trading, listed = redated, life = tracked) =>
    evaluateLife(life, listed, instantAt(day), before, proof)

  test('of a market that was traded through it is only a new date', () => {
    expect(evaluate('traded')).toEqual({
      life: { ...tracked, lastListedAt: instantAt(day) },
      news: 'redated',
    })
  })

  test('before which nothing was traded is that of another market', () => {
    expect(evaluate({ silentUntil: instantAt(6 * hour) })).toMatchObject({
      news: 'reused',
      life: { listedTo: instantAt(6 * hour) },
      foreignFrom: instantAt(6 * hour),
    })
  })

  test('that no candle can speak for ends the market: nothing proves that it is the same', () => {
    expect(evaluate('unknown').news).toBe('reused')
  })

  test('asks for the candles of the day before it', () => {
    expect(doubtOf(tracked, redated, instantAt(day), before)).toEqual({
      kind: 'new-listing-date',
      range: { from: instantAt(-18 * hour), to: instantAt(6 * hour) },
    })
    expect(doubtOf(tracked, trading, instantAt(day), before)).toBeUndefined()
  })

  test('of a market that had halted before is in doubt also where later polls still saw it halted', () => {
    const waiting = { ...tracked, haltedSince: instantAt(-3 * day), lastListedAt: start }
    const again = { ...trading, listedAt: instantAt(-hour) }
    expect(doubtOf(waiting, again, instantAt(day), before)?.kind).toBe('new-listing-date')
    expect(doubtOf({ ...waiting, haltedSince: undefined }, again, instantAt(day), before)).toBeUndefined()
  })

  test('that lies ahead ends a market that has stopped trading, and not one that trades', () => {
    const ahead = { ...trading, listedAt: instantAt(9 * day) }
    expect(evaluate('unknown', ahead)).toMatchObject({ news: undefined, life: { listedTo: undefined } })
    expect(evaluate('unknown', { ...ahead, trading: false })).toMatchObject({
      news: 'reused',
      life: { listedTo: instantAt(9 * day) },
    })
    // Once the date is past, the candles tell: it was not announced, as the market traded when it was last seen.
    const later = { ...tracked, lastListedAt: instantAt(day) }
    const after = instantAt(10 * day)
    const announced = known({ listedAt: instantAt(9 * day) })
    expect(doubtOf(later, ahead, after, announced)?.kind).toBe('new-listing-date')
  })
})

describe('a new name under the same symbol', () => {
  const before = known({ baseName: 'UniLayer' })
  const renamed: ListedMarket = { ...trading, baseName: 'Solayer' }

  test('is only a name while polls and trades go on', () => {
    expect(doubtOf(tracked, renamed, instantAt(day), before)).toBeUndefined()
    expect(evaluateLife(tracked, renamed, instantAt(day), before).news).toBeUndefined()
    expect(evaluateLife(tracked, renamed, instantAt(9 * day), before, 'traded').news).toBeUndefined()
    expect(evaluateLife(tracked, renamed, instantAt(9 * day), before, 'unknown').news).toBeUndefined()
  })

  test('after days without a poll and a day without a trade is another coin', () => {
    expect(doubtOf(tracked, renamed, instantAt(9 * day), before)).toEqual({
      kind: 'new-name',
      range: { from: start, to: instantAt(9 * day) },
    })
    const silentUntil = instantAt(5 * day)
    expect(evaluateLife(tracked, renamed, instantAt(9 * day), before, { silentUntil })).toMatchObject({
      news: 'reused',
      life: { listedTo: silentUntil },
      foreignFrom: silentUntil,
    })
  })

  test('that is only written otherwise is none', () => {
    const same = { ...trading, baseName: ' UNILAYER' }
    expect(isRenamed(same, before)).toBe(false)
    expect(isRenamed(trading, before)).toBe(false)
    expect(isRenamed({ ...trading, base: 'luna' }, before)).toBe(false)
  })
})

test('a ticker that is only read otherwise now is no new name, and one that was always mapped is the same', () => {
  const wrapped: ListedMarket = { ...trading, base: 'WBTC', ownBase: 'WBT' }
  const readAsWbt = known({ base: 'WBT' })
  expect([isRenamed(wrapped, readAsWbt), isReread(wrapped, readAsWbt)]).toEqual([false, true])
  expect(doubtOf(tracked, wrapped, instantAt(9 * day), readAsWbt)).toBeUndefined()
  const mappedBefore = known({ base: 'WBTC' })
  expect([isRenamed(wrapped, mappedBefore), isReread(wrapped, mappedBefore)]).toEqual([false, false])
  const renamed = known({ base: 'LUNC', ownBase: 'LUNA' })
  const now: ListedMarket = { ...trading, base: 'LUNA', ownBase: 'LUNA2' }
  expect([isRenamed(now, renamed), isReread(now, renamed)]).toEqual([true, false])
})

test('a market that turns out to be of no coin is reported once', () => {
  const share: ListedMarket = { ...trading, kind: 'tokenized-stock' }
  expect(evaluateLife(tracked, share, instantAt(day), known()).news).toBe('no-coin')
  expect(
    evaluateLife(tracked, share, instantAt(day), known({ kind: 'tokenized-stock' })).news,
  ).toBeUndefined()
})
