import { expect, test } from 'vitest'
import { outageOf2018 } from '../../src/replay/faults/outage.ts'
import { openSite } from './support/site.ts'

const month = '--timeframe 1h --from 2018-02-01 --to 2018-03-01'
const backfill = `backfill bitcoin ${month} --force`
const rejected = 'quarantine list --coin bitcoin --timeframe 1h --from 2018-02-08 --to 2018-02-11T04:00Z'

const jsonOf = (end: { stdout: string } | undefined) => JSON.parse(end?.stdout ?? '')

test.each(['', ' --source binance-archive'])(
  'a month with an outage is known after one backfill, explained, accepted, discarded and whole%s',
  async (source) => {
    await using site = await openSite()
    site.exchange.setFaults([{ when: 'always', fault: { name: 'outage', ...outageOf2018 } }])
    const [first, again, gaps, repaired, listed, verified] = await site.runLines([
      backfill + source,
      backfill + source,
      `gaps bitcoin ${month} --json`,
      `gaps bitcoin ${month} --repair --json`,
      `${rejected} --limit 1000 --json`,
      `verify bitcoin ${month} --json`,
    ])
    expect([first, again, gaps, repaired, verified].map((end) => end?.code)).toEqual([1, 1, 0, 0, 0])
    const missing =
      'error: 44 candles are missing: they were rejected, the first, of 2018-02-08 00:00 UTC (cut short: closes 2018-02-08 00:28:14 UTC instead of 01:00). Inspect them with: beacon '
    expect(first?.stderr).toContain(`${missing}${rejected} --limit 88\n`)
    expect(first?.stdout).toContain('596 new')
    expect(again?.stdout).toBe('Everything else is known: no request is needed.\n')
    expect(again?.stderr).toContain('0 candles missing, 628 there already, 44 rejected and in quarantine')
    expect(again?.stderr).toContain(missing)
    const known = jsonOf(gaps).gaps.map(({ cause, from, candles }: Record<string, unknown>) => [
      cause,
      from,
      candles,
    ])
    expect(known).toEqual([
      ['refused', '2018-02-08T00:00:00.000Z', 1],
      ['no-trades', '2018-02-08T01:00:00.000Z', 32],
      ['refused', '2018-02-09T09:00:00.000Z', 43],
    ])
    expect(jsonOf(repaired)).toEqual(jsonOf(gaps))
    expect(jsonOf(verified).verifications[0]).toMatchObject({
      identical: 596,
      missing: { candles: 0 },
      quarantined: 44,
      notFetched: 0,
    })
    const rows: { id: string; openTime: string }[] = jsonOf(listed).rows
    const idsAt = (openTime: string) => rows.filter((row) => row.openTime === openTime).map(({ id }) => id)
    const [cut = ''] = idsAt('2018-02-08T00:00:00.000Z')
    const [beside = ''] = idsAt('2018-02-09T09:28:14.789Z')
    const others = rows.filter(({ openTime }) => openTime > '2018-02-09T10').map(({ id }) => id)

    const requests = site.exchange.requests.length
    const [odd, accepted, discarded, explained, rest, whole, certificate] = await site.runLines([
      `quarantine accept ${cut} ${beside}`,
      `quarantine accept ${cut} --why outage --by ada --json`,
      `quarantine discard ${beside} --reason outage --json`,
      `gaps bitcoin ${month} --json`,
      `quarantine discard ${others.join(' ')} --reason outage --json`,
      backfill,
      `certificate bitcoin --timeframe 1h --from 2018-02-01 --to 2018-03-01 --json`,
    ])
    expect(odd).toMatchObject({ code: 2 })
    expect(odd?.stderr).toBe(
      `error: row ${beside.slice(0, 8)} cannot be accepted: 2018-02-09T09:28:14.789Z is not on the 1h grid\n`,
    )
    expect(jsonOf(accepted)).toMatchObject({ accepted: [cut], new: 1 })
    expect(jsonOf(discarded).discarded).toHaveLength(idsAt('2018-02-09T09:28:14.789Z').length)
    expect(
      jsonOf(explained).gaps.map(({ cause, candles }: Record<string, unknown>) => [cause, candles]),
    ).toEqual([
      ['no-trades', 32],
      ['discarded', 1],
      ['refused', 42],
    ])
    expect(rest).toMatchObject({ code: 0 })
    expect(whole).toMatchObject({ code: 0, stdout: 'Nothing is missing: no request is needed.\n' })
    expect(jsonOf(certificate).certificates[0]).toMatchObject({
      expected: 672,
      stored: 597,
      absent: { 'no-trades': 32, discarded: 43 },
      refused: 0,
      missing: 0,
      balances: true,
    })
    expect(site.exchange.requests.length).toBe(requests)

    const [mended, verifiedAgain, deep] = await site.runLines([
      `gaps bitcoin ${month} --repair --json`,
      `verify bitcoin ${month} --json`,
      'doctor --deep',
    ])
    expect([mended?.code, verifiedAgain?.code]).toEqual([0, 0])
    expect(jsonOf(verifiedAgain).verifications[0]).toMatchObject({
      identical: 597,
      refused: { candles: 0 },
      extra: { candles: 0 },
    })
    expect(deep?.stdout).toMatch(/^coverage +fine$/m)
  },
)
