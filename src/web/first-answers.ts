import { second } from '../market/instant.ts'
import { within } from '../runtime/within.ts'
import type { Status } from '../status/status.ts'
import type { Api } from './api.ts'

/** An answer, and the address where it would have been asked for. */
export type FirstAnswer = Readonly<{ request: string; answer: unknown }>

/** The page is whole without an answer that takes longer: its script asks for it. */
const timeoutMs = 3 * second

/**
 * The answers to all that the page asks first, each as soon as it is there, so that none has to be asked for. Its script
 * puts the same questions, word for word; one that failed is left out, and asked again by it.
 */
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

/** The last ninety days, hour by hour where there are hours. */
function coverageRequest({ series }: Status): string | undefined {
  const timeframe = (series.find((one) => one.timeframe === '1h') ?? series[0])?.timeframe
  return timeframe && `/api/coverage?${new URLSearchParams({ timeframe, from: '-89d' })}`
}

/** The last day of the first coin, minute by minute where there are minutes. */
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
