import { describe, expect, test } from 'vitest'
import { unreachableText } from '../../src/http/reachability.ts'
import { describeUnreachable, unreachableFindings } from '../../src/status/unreachable.ts'

const reasonOf = (source: string) => unreachableText(source, `api.${source}.example`, 'ENOTFOUND')
const silent = (source: string, failedJobs = 2) => ({ source, error: reasonOf(source), failedJobs })
const answering = (source: string) => ({ source, error: undefined, failedJobs: 0 })
const series = [{ source: 'binance' }] as const

const findingsOf = (...answers: Parameters<typeof describeUnreachable>[0]) =>
  unreachableFindings(describeUnreachable(answers, series))

describe('a source that gets no connection', () => {
  test('needs attention where candles come from it', () => {
    expect(findingsOf(silent('binance'), answering('kraken'))).toEqual([
      {
        key: 'source.unreachable binance',
        state: 'attention',
        message: `${reasonOf('binance')}: 2 jobs failed, and the candles are fetched when it answers again.`,
      },
    ])
  })

  test('is a note where nothing here comes from it', () => {
    expect(findingsOf(answering('binance'), silent('kraken'))).toMatchObject([
      { key: 'source.unreachable kraken', state: 'note' },
    ])
  })

  test('is not one that answers with an error', () => {
    const broken = { source: 'binance', error: 'binance answered /x with HTTP 503', failedJobs: 1 }
    expect(findingsOf(broken, answering('kraken'))).toEqual([])
  })

  test('is the network, where it is all of them', () => {
    expect(findingsOf(silent('binance'), silent('kraken'), silent(''))).toEqual([
      {
        key: 'network.unreachable',
        state: 'attention',
        message: 'No exchange can be reached from this machine: check the network or HTTPS_PROXY.',
      },
    ])
    expect(findingsOf(silent('binance'), silent('kraken'), answering(''))).toHaveLength(2)
    expect(findingsOf()).toEqual([])
  })
})
