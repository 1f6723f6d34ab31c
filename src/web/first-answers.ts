import { second } from '../market/instant.ts'
import { within } from '../runtime/within.ts'
import type { Status } from '../status/status.ts'
import type { Api } from './api.ts'

export type FirstAnswer = Readonly<{ request: string; answer: unknown }>

/** Slower answers are requested by the script. */
const timeoutMs = 3 * second

/** Initial data, each as soon as available; the script makes the same requests. Failed ones are left out. */
export async function* firstAnswers(
  collect: () => Promise<Status>,
  api: Api,
): AsyncGenerator<FirstAnswer, void, undefined> {
  const answerTo = async (request: string): Promise<FirstAnswer> => {
    const { pathname, searchParams } = new URL(request, 'http://page')
    return { request, answer: await api[pathname as keyof Api]?.(Object.fromEntries(searchParams)) }
  }
  const status = collect()
  const answers = [
    status.then((answer) => ({ request: '/api/status', answer })),
    ...['/api/sources', '/api/maintenance', '/api/retention', '/api/database'].map(answerTo),
    ...[coverageRequest, candlesRequest].map(async (requestOn) => {
      const request = requestOn(await status)
      return request === undefined ? undefined : answerTo(request)
    }),
  ]
  yield* asTheyCome(answers.map((answer) => within(timeoutMs, answer, 'too late').catch(() => undefined)))
}

/** 90 days, hourly if possible. */
function coverageRequest({ series }: Status): string | undefined {
  const timeframe = (series.find((one) => one.timeframe === '1h') ?? series[0])?.timeframe
  return timeframe && `/api/coverage?${new URLSearchParams({ timeframe, from: '-89d' })}`
}

/** One day of the first coin, by minute if possible. */
function candlesRequest({ series }: Status): string | undefined {
  const [first] = series
  if (!first) return undefined
  const { coinId: coin } = first
  const { timeframe } = series.find((one) => one.coinId === coin && one.timeframe === '1m') ?? first
  return `/api/candles?${new URLSearchParams({ coin, timeframe, from: '-1d', points: '1500' })}`
}

async function* asTheyCome<T>(
  promises: readonly Promise<T | undefined>[],
): AsyncGenerator<T, void, undefined> {
  const waiting = new Map(
    promises.map((promise, place) => [place, promise.then((value) => ({ place, value }))]),
  )
  while (waiting.size > 0) {
    const { place, value } = await Promise.race(waiting.values())
    waiting.delete(place)
    if (value !== undefined) yield value
  }
}
