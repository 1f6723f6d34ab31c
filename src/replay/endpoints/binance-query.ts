import { type Instant, toInstant } from '../../market/instant.ts'
import { type Json, RefusedRequest } from '../answer.ts'
import { binanceMarkets, findMarket, type Market } from '../markets.ts'

export type Parameters = ReadonlyMap<string, string>

/** With Binance's code and message. */
export const refuse = (code: number, msg: string) => new RefusedRequest(400, { code, msg })

export function readParameters(query: URLSearchParams, known: readonly string[]): Parameters {
  const sent = [...query.keys()]
  if (known.length === 0 && sent.length > 0)
    throw refuse(-1101, `Too many parameters; expected '0' and received '${sent.length}'.`)
  if (new Set(sent).size < sent.length) throw refuse(-1101, 'Duplicate values for a parameter detected.')
  const read = sent.filter((name) => known.includes(name))
  if (read.length < sent.length)
    throw refuse(
      -1104,
      `Not all sent parameters were read; read '${read.length}' parameter(s) but was sent '${sent.length}'.`,
    )
  for (const [name, value] of query) if (value === '') throw refuse(-1105, `Parameter '${name}' was empty.`)
  return new Map(query)
}

export function mandatory(parameters: Parameters, name: string): string {
  const value = parameters.get(name)
  if (value === undefined)
    throw refuse(-1102, `Mandatory parameter '${name}' was not sent, was empty/null, or malformed.`)
  return value
}

/** Binance's pattern in its documented syntax, and ours. */
const legalSymbol = '[\\w\\-._&&[^a-z]]{1,50}'
const symbolForm = '[\\p{L}\\p{M}\\p{N}_.\\-]{1,50}'

const isLegal = (text: string, form: string): boolean =>
  new RegExp(`^${form}$`, 'u').test(text) && !/[a-z]/.test(text)

export function readMarket(symbol: string): Market {
  if (!isLegal(symbol, symbolForm)) throw illegal('symbol', `^${legalSymbol}$`)
  return listed(symbol)
}

function listed(symbol: string): Market {
  const market = findMarket(symbol)
  if (!market) throw refuse(-1121, 'Invalid symbol.')
  return market
}

const illegal = (name: string, legal: string) =>
  refuse(-1100, `Illegal characters found in parameter '${name}'; legal range is '${legal}'.`)

export const invalid = (name: string) => refuse(-1130, `Data sent for parameter '${name}' is not valid.`)

export function readWhole(parameters: Parameters, name: string): number | undefined {
  const text = parameters.get(name)
  if (text === undefined) return undefined
  if (!/^[0-9]{1,20}$/.test(text)) throw illegal(name, '^[0-9]{1,20}$')
  const whole = Number(text)
  if (!Number.isSafeInteger(whole)) throw invalid(name)
  return whole
}

/** 16 digits are microseconds. */
export function readTime(parameters: Parameters, name: string): Instant | undefined {
  const whole = readWhole(parameters, name)
  if (whole === undefined) return undefined
  return toInstant(whole >= 1e15 ? Math.floor(whole / 1_000) : whole)
}

/** By `symbol`, `symbols` or neither. */
export type Asked = Readonly<{ one: Market }> | Readonly<{ many: readonly Market[] }>

export function readAsked(parameters: Parameters): Asked {
  const symbol = parameters.get('symbol')
  const symbols = parameters.get('symbols')
  if (symbol !== undefined && symbols !== undefined)
    throw refuse(-1128, 'Combination of optional parameters invalid.')
  if (symbol !== undefined) return { one: readMarket(symbol) }
  return { many: symbols === undefined ? binanceMarkets : readSymbols(symbols).map(listed) }
}

function readSymbols(text: string): string[] {
  const listOf = (form: string) => `\\["${form}"(,"${form}"){0,}\\]`
  if (!isLegal(text, listOf(symbolForm))) throw illegal('symbols', `^${listOf(legalSymbol)}$`)
  const symbols = text.slice(2, -2).split('","')
  if (new Set(symbols).size < symbols.length)
    throw refuse(-1151, 'Symbol is present multiple times in the list.')
  return symbols
}

/** An object for one market, else an array. */
export const each = (asked: Asked, describe: (market: Market) => Json): Json =>
  'one' in asked ? describe(asked.one) : asked.many.map(describe)
