import { afterAll, expect, test } from 'vitest'
import { Malformed, RateLimited, Refused, Unavailable, UnknownError } from '../../src/fault.ts'
import { unlimitedBudget } from '../../src/http/budget.ts'
import { openHttpClient } from '../../src/http/client.ts'
import type { HttpRequest } from '../../src/http/request.ts'
import { binanceArchiveEndpoint } from '../../src/replay/endpoints/binance-archive.ts'
import type { InjectedFault } from '../../src/replay/faults/injected-fault.ts'
import { archiveFileAt, binanceArchive, zipRequest } from '../../src/sources/binance-archive.ts'
import { toHttpRequest } from '../../src/sources/source.ts'
import { halfPast, type Playing, play, StandingClock } from '../replay/playing.ts'
import { at } from '../store/loading.ts'

const taken: string[] = []
const client = (maxBodyBytes: number) =>
  openHttpClient({
    clock: new StandingClock(halfPast),
    budget: {
      ...unlimitedBudget,
      take: async ({ source, weight, rateLimits }, lane) => {
        taken.push([source, weight, lane, rateLimits[0]?.points].join(' '))
      },
    },
    timeoutMs: 5_000,
    maxBodyBytes,
  })
const http = client(1_000_000)
const narrow = client(1_000)
afterAll(() => {
  http.close()
  narrow.close()
})

const file = archiveFileAt('daily', 'BTCUSDT', '1h', at('2024-02-10T00:00Z'))
const signal = new AbortController().signal

const requestTo = ({ urls }: Playing): HttpRequest =>
  toHttpRequest(binanceArchive, zipRequest(file), Object.fromEntries(urls))

const served = binanceArchiveEndpoint.route(
  zipRequest(file).path,
  new URLSearchParams(),
  halfPast,
  binanceArchiveEndpoint.limit,
).answer.bytes

test('a file comes byte for byte, within the budget of its own host', async () => {
  await using exchange = await play({ endpoints: [binanceArchiveEndpoint] })
  const { bytes, answeredAt } = await http.download(requestTo(exchange), { lane: 'backfill', signal })
  expect(bytes.length).toBeGreaterThan(1_000)
  expect(bytes.equals(served ?? Buffer.alloc(0))).toBe(true)
  expect(answeredAt).toBe(halfPast)
  expect(taken).toEqual(['binance-archive 1 backfill 1200'])
})

test('a file longer than the limit is not taken in', async () => {
  await using exchange = await play({ endpoints: [binanceArchiveEndpoint] })
  const download = narrow.download(requestTo(exchange), { lane: 'backfill', signal })
  await expect(download).rejects.toThrow(Malformed)
})

test.each([
  [{ name: 'missing-file' }, Refused],
  [{ name: 'firewall' }, Unavailable],
  [{ name: 'redirect', to: 'http://192.0.2.1/' }, UnknownError],
  [{ name: 'rate-limited', retryAfterSeconds: 7 }, RateLimited],
  [{ name: 'server-error', status: 502 }, Unavailable],
  [{ name: 'reset', when: 'within-body' }, Unavailable],
  [{ name: 'too-long-length', bytes: 10 }, Unavailable],
] satisfies [InjectedFault, unknown][])('%o is a fault, not a file', async (fault, expectedFault) => {
  await using exchange = await play({
    endpoints: [binanceArchiveEndpoint],
    faults: [{ when: 'always', fault }],
  })
  const download = http.download(requestTo(exchange), { lane: 'backfill', signal })
  await expect(download).rejects.toThrow(expectedFault)
})
