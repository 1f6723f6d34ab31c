import { expect, test } from 'vitest'
import { noExchangeReachable, Reachability, unreachableText } from '../../src/http/reachability.ts'

type Line = readonly [level: string, event: string, fields: object]

function watching() {
  const lines: Line[] = []
  const write =
    (level: string) =>
    (event: string, fields: object = {}) => {
      lines.push([level, event, fields])
    }
  const log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
  return { lines, reachability: new Reachability(log) }
}

const reasonOf = (source: string) => unreachableText(source, `api.${source}.example`, 'ENOTFOUND')
const outageMs = expect.any(Number)

test('a source that does not answer is reported once with its jobs, and once when it answers again', () => {
  const { lines, reachability } = watching()
  reachability.answered('kraken')
  for (let job = 0; job < 3; job += 1) {
    reachability.failed('binance', reasonOf('binance'))
    reachability.jobFailed('binance')
  }
  reachability.report()
  reachability.failed('binance', reasonOf('binance'))
  reachability.jobFailed('binance')
  reachability.report()
  expect(lines).toEqual([
    ['warn', 'source.unreachable', { source: 'binance', jobs: 3, reason: reasonOf('binance') }],
  ])
  reachability.answered('binance')
  reachability.answered('binance')
  expect(lines.slice(1)).toEqual([['info', 'source.reachable', { source: 'binance', jobs: 4, outageMs }]])
})

test('one that answers again before it is reported is not reported at all', () => {
  const { lines, reachability } = watching()
  reachability.failed('binance', reasonOf('binance'))
  reachability.answered('binance')
  reachability.report()
  expect(lines).toEqual([])
})

test('where no source gets a connection, the network is reported and none of the sources', () => {
  const { lines, reachability } = watching()
  for (const source of ['binance', 'kraken', 'okx']) {
    reachability.failed(source, reasonOf(source))
    reachability.jobFailed(source)
  }
  reachability.report()
  // One that is asked later is of the same outage.
  reachability.failed('bybit', reasonOf('bybit'))
  reachability.report()
  expect(lines).toEqual([
    [
      'warn',
      'network.unreachable',
      {
        message: noExchangeReachable,
        sources: ['binance', 'kraken', 'okx'],
        jobs: 3,
        reason: reasonOf('binance'),
      },
    ],
  ])
  reachability.answered('kraken')
  reachability.answered('okx')
  expect(lines.slice(1)).toEqual([['info', 'network.reachable', { source: 'kraken', jobs: 3, outageMs }]])
  // And what does not answer now is an outage of its own.
  reachability.failed('binance', reasonOf('binance'))
  reachability.report()
  expect(lines.at(-1)).toMatchObject(['warn', 'source.unreachable', { source: 'binance' }])
})

test('sources that answer that they are out of order are reported as such, all of them too', () => {
  const { lines, reachability } = watching()
  reachability.failed('binance', 'binance answered /api/v3/klines with HTTP 503')
  reachability.report()
  expect(lines.map(([, event]) => event)).toEqual(['source.unreachable'])
})
