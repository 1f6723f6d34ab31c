import { readFileSync } from 'node:fs'
import { type Instant, plus, toInstant } from '../../src/market/instant.ts'
import { openReplayExchange, type ReplayExchange, type ReplayOptions } from '../../src/replay/exchange.ts'
import type { Clock } from '../../src/runtime/clock.ts'

/** Half past a minute that every recording holds. */
export const halfPast: Instant = toInstant(Date.parse('2024-03-01T12:34:30Z'))

/** A clock that stands still until it is moved. */
export class StandingClock implements Clock {
  #now: Instant

  constructor(now: Instant) {
    this.#now = now
  }

  now(): Instant {
    return this.#now
  }

  move(ms: number): void {
    this.#now = plus(this.#now, ms)
  }
}

export type Reported = Readonly<{ status: number; headers: Headers; text: string }>

/** An exchange that plays for one test, with its clock in the test's hand. */
export type Playing = ReplayExchange &
  Readonly<{
    clock: StandingClock
    /** GETs a path under /api/v3/. */
    binance(path: string, init?: RequestInit): Promise<Reported>
    coingecko(path: string): Promise<Reported>
    [Symbol.asyncDispose](): Promise<void>
  }>

export async function play(
  options: Omit<ReplayOptions, 'clock'> = {},
  now: Instant = halfPast,
): Promise<Playing> {
  const clock = new StandingClock(now)
  const exchange = await openReplayExchange({ ...options, clock })
  return {
    ...exchange,
    clock,
    binance: (path, init) => get(`${exchange.urlOf('binance')}/api/v3/${path}`, init),
    coingecko: (path) => get(`${exchange.urlOf('coingecko')}/api/v3/${path}`),
    [Symbol.asyncDispose]: () => exchange.close(),
  }
}

async function get(url: string, init: RequestInit = {}): Promise<Reported> {
  const response = await fetch(url, { redirect: 'manual', ...init })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

export const json = ({ text }: Reported): unknown => JSON.parse(text)

export type Row = readonly (string | number)[]

/** The rows of a klines answer. Throws when there are none to be had. */
export function rowsOf(reported: Reported): Row[] {
  const body = json(reported)
  if (!Array.isArray(body)) throw new TypeError(`not rows: ${reported.text.slice(0, 200)}`)
  return body
}

export const openTimes = (reported: Reported): (string | number | undefined)[] =>
  rowsOf(reported).map((row) => row[0])

/** One recorded body of a real exchange. */
export const fixture = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8'))

/** The bones of a body: field names and kinds of value; every text of digits shows how many follow the point. */
export function shapeOf(body: unknown): unknown {
  if (Array.isArray(body)) return [...new Set(body.map((item) => JSON.stringify(shapeOf(item))))].toSorted()
  if (typeof body === 'object' && body !== null) {
    const fields = Object.entries(body).map(([name, value]) => [name, shapeOf(value)])
    return Object.fromEntries(fields.toSorted(([a], [b]) => String(a).localeCompare(String(b))))
  }
  if (typeof body === 'string' && /^-?\d+\.\d+$/.test(body)) return `${body.split('.')[1]?.length} decimals`
  return body === null ? 'null' : typeof body
}
