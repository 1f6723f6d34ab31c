import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import type { HttpAnswer } from '../../src/http/request.ts'
import type { CandleQuery } from '../../src/sources/source.ts'
import { at } from '../support/at.ts'

/** One recorded body, character for character. */
export const recorded = (name: string): string =>
  readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8').trim()

export { at }

/** A row without a time: it concerns no candle in particular. */
export const undated = { raw: expect.anything(), flaw: expect.stringMatching(/not a time/) }

export const anAnswer = (status: number, text: string, headers: Record<string, string> = {}): HttpAnswer => ({
  status,
  headers,
  text,
  answeredAt: at('2024-03-01T12:00:00Z'),
})

/** What a source's contract allows a request to say; its path is a pattern where the timeframe stands in it. */
export type Contract = Readonly<{
  path: string | RegExp
  required: readonly string[]
  allowed: readonly string[]
}>

type Recording = Readonly<{ body: string; rows: number; contract: Contract }>

/** What the conformance sentences need to know of a source: a new one brings an entry. */
export type Recordings = Readonly<{
  /** Every body the source answers an error with. */
  errors: readonly string[]
  candles?: Recording &
    Readonly<{
      query: CandleQuery
      first: Readonly<Record<string, string | number>>
      /** How the source says that it has none; an empty list where it is left out. */
      empty?: string
      /** How many of the rows speak of intervals without trades. */
      quiet?: number
    }>
  listing?: Recording & Readonly<{ markets: readonly string[] }>
  prices?: Recording & Readonly<{ markets: readonly string[]; first: Readonly<Record<string, unknown>> }>
}>
