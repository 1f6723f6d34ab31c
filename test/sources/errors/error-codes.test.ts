import ccxt from 'ccxt'
import { describe, expect, test } from 'vitest'
import { Fault } from '../../../src/fault.ts'
import { faultOfStatus } from '../../../src/http/status-fault.ts'
import { classifyError, declaredKind, kindOf } from '../../../src/sources/errors/classify-error.ts'
import type { ErrorKind, SourceError } from '../../../src/sources/errors/error-table.ts'
import { kindByWording } from '../../../src/sources/errors/wording.ts'
import { anAnswer } from '../recorded.ts'
import { type Compared, compared } from './tables.ts'

/** An error of ccxt's tables: a code, or the words of a message. */
type Listed = Readonly<{ text: string; error: SourceError; ccxtClass: string; isCode: boolean }>

type ErrorClass = new (...args: never[]) => Error
type Tables = Readonly<Partial<Record<'exact' | 'broad', Readonly<Record<string, ErrorClass>>>>>

/** Sources without codes: what ccxt compares are messages. */
const withoutCodes = ['kraken', 'coinbaseexchange', 'bitstamp']

function listedBy({ ccxtId }: Compared): Listed[] {
  const Exchange: new () => { exceptions: Tables & Readonly<{ spot?: Tables }> } = Reflect.get(ccxt, ccxtId)
  const { exact, broad, spot } = new Exchange().exceptions
  const listed = (table: Tables['exact'], isBroad: boolean) =>
    Object.entries(table ?? {}).map(([text, { name }]): Listed => {
      const isCode = !isBroad && !/\s|^order_not/.test(text) && !withoutCodes.includes(ccxtId)
      const error = isCode ? { code: text, message: '' } : { code: '', message: text }
      return { text, error, ccxtClass: name, isCode }
    })
  return [...listed({ ...exact, ...spot?.exact }, false), ...listed({ ...broad, ...spot?.broad }, true)]
}

/** What ccxt says passes: no error of these classes may be final with us. */
const passing: readonly string[] = [
  'RateLimitExceeded',
  'DDoSProtection',
  'ExchangeNotAvailable',
  'OnMaintenance',
  'RequestTimeout',
  'NetworkError',
  'OperationFailed',
  'BadResponse',
]

/** About orders, accounts and keys: words of these need no entry, since an unknown error is retried. */
const notPublic =
  /^(?:Account|Authentication|Permission|Insufficient|Invalid(?:Order|Address|Nonce)|Order|Operation(?:Rejected)|CancelPending|DuplicateOrder|Margin|Market|ManualInteraction|NoChange|ContractUnavailable|NotSupported)|^BadRequest$/

const final: readonly ErrorKind[] = ['unknown-market', 'refused', 'misconfigured', 'blocked']

/** `by message` of a code that stands for many errors, and `unknown` of what no table names. */
function ours({ table }: Compared, { error }: Listed): string {
  const kind = kindOf(table, error)
  if (kind !== undefined) return kind
  return Object.hasOwn(table.codes ?? {}, error.code) ? 'by message' : 'unknown'
}

describe.each(compared)('errors of $table.source', (source) => {
  const { table } = source
  const listed = listedBy(source)
  const faultOf = ({ error }: Listed) => {
    const { status, body } = source.send(error)
    return classifyError(table, anAnswer(status, JSON.stringify(body)))
  }

  test('every code that ccxt knows has its entry, and so has every message about public data', () => {
    const missing = listed.filter(
      (one) => ours(source, one) === 'unknown' && (one.isCode || !notPublic.test(one.ccxtClass)),
    )
    expect(missing.map(({ text, ccxtClass }) => `${text}: ${ccxtClass}`)).toEqual([])
  })

  test('what ccxt calls a rate limit or an outage is never final', () => {
    const finals = listed.filter(
      (one) => passing.includes(one.ccxtClass) && faultOf(one)?.remedy === 'give-up',
    )
    expect(finals.map(({ text, ccxtClass }) => `${text}: ${ccxtClass}`)).toEqual([])
  })

  test('an error that nobody knows is retried, whatever its status', () => {
    const unknown = source.send({ code: '987654321', message: 'Lorem ipsum' })
    for (const status of [200, 400, 401, 404, 409, 410, 422, 500, 503]) {
      const answer = anAnswer(status, JSON.stringify(unknown.body))
      const fault = classifyError(table, answer) ?? faultOfStatus({ source: 'x', path: '/y' }, answer)
      expect([status, fault?.remedy]).toEqual([status, 'retry'])
    }
  })

  test.each([
    ['request limit', 'wait'],
    ['Too many requests, slow down', 'wait'],
    ['access too frequent', 'wait'],
    ['Exceeded the access frequency', 'wait'],
    ['System busy', 'retry'],
    ['The server is overloaded', 'retry'],
    ['Please try again later', 'retry'],
    ['Under maintenance', 'retry'],
  ])('%j under any code is %s', (message, remedy) => {
    const unmistakable = ['wait', 'banned', 'blocked', 'misconfigured']
    const named = Object.entries(table.codes ?? {}).filter(([, kind]) => !unmistakable.includes(String(kind)))
    const codes = [...named.map(([code]) => code), '987654321']
    for (const code of codes.filter((text) => !/^HTTP /.test(text))) {
      const { status, body } = source.send({ code, message })
      const fault = classifyError(table, anAnswer(status, JSON.stringify(body)))
      expect([code, fault?.remedy]).toEqual([code, remedy])
    }
  })

  test('no code of a family is final, so that a new one of it is not either', () => {
    for (const one of listed) {
      const isFinal = final.includes(declaredKind(table, one.error) ?? 'retry')
      const isNamed = Object.hasOwn(table.codes ?? {}, one.error.code)
      const isWorded = table.messages?.some(([pattern]) => pattern.test(one.error.message))
      expect([one.text, isFinal && !isNamed && !isWorded]).toEqual([one.text, false])
    }
  })
})

test('an HTTP status alone is final only where a region is not served', () => {
  const statuses = Object.keys(new ccxt.binance().httpExceptions).map(Number)
  const remedies = [301, 302, 307, ...statuses].map((status) => {
    const fault = faultOfStatus({ source: 'x', path: '/y' }, anAnswer(status, ''))
    expect(fault).toBeInstanceOf(Fault)
    return [status, fault?.remedy]
  })
  expect(remedies.filter(([, remedy]) => remedy === 'give-up')).toEqual([[451, 'give-up']])
  expect(remedies.filter(([, remedy]) => remedy === 'wait').map(([status]) => status)).toEqual([
    403, 418, 429,
  ])
})

test.each([
  'Too many parameters; expected 3 and received 4.',
  'granularity too small for the requested time range. Count of aggregations requested exceeds 300',
  'Candlestick range too broad. Maximum 1000 data points are allowed per request',
  'Candlestick too long ago. Maximum 10000 points recently are allowed',
  'invalid size',
  'Invalid symbol.',
  'limit: invalid',
  "Instrument ID doesn't exist.",
])('%j is neither about a limit nor about trouble of the source', (message) => {
  expect(kindByWording(message)).toBeUndefined()
})

/** Our kind beside the class of ccxt, with the codes that have both. */
function tableOf(source: Compared): string {
  const rows = new Map<string, string[]>()
  for (const one of listedBy(source)) {
    const key = `${ours(source, one)} | ${one.ccxtClass}`
    rows.set(key, [...(rows.get(key) ?? []), `\`${one.text.trim()}\``])
  }
  const lines = [...rows].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return [
    `## ${source.table.source}`,
    '',
    '| ours | ccxt | errors |',
    '| --- | --- | --- |',
    ...lines.map(([key, errors]) => `| ${key} | ${errors.join(', ')} |`),
    '',
  ].join('\n')
}

test('our kinds stand beside the classes of ccxt in docs/error-codes.md', async () => {
  const text = [
    '# Error codes',
    '',
    `What each error of each exchange means here, beside its class in ccxt ${ccxt.version}. Written by \`test/sources/errors/error-codes.test.ts\`:`,
    'run it with `-u` after a change of a table in `src/sources/errors/`. The kinds are explained in `error-table.ts` there.',
    '',
    ...compared.map(tableOf),
  ].join('\n')
  await expect(text).toMatchFileSnapshot('../../../docs/error-codes.md')
})
