import { expect, test } from 'vitest'
import { SeriesRanges } from '../../src/runtime/series-ranges.ts'
import { at } from '../support/at.ts'

const series = { coinId: 'bitcoin', timeframe: '1h', source: 'binance' } as const
const hours = (from: number, to: number) => ({
  from: at(`2024-03-01T${String(from).padStart(2, '0')}:00Z`),
  to: at(`2024-03-01T${String(to).padStart(2, '0')}:00Z`),
})
const never = new AbortController().signal

/** Work that ends when it is released, and a record of what began. */
function held(begun: string[], name: string) {
  let release = () => {}
  const released = new Promise<void>((resolve) => (release = resolve))
  const work = async () => {
    begun.push(name)
    await released
  }
  return { work, release: () => release() }
}

test('ranges of a series that overlap run one after the other, all others side by side', async () => {
  const ranges = new SeriesRanges()
  const begun: string[] = []
  const first = held(begun, 'first')
  const running = ranges.run(series, hours(0, 4), never, first.work)
  const overlapping = ranges.run(series, hours(3, 6), never, async () => begun.push('overlapping'))
  await ranges.run(series, hours(6, 8), never, async () => begun.push('beside'))
  await ranges.run({ ...series, timeframe: '1d' }, hours(0, 4), never, async () => begun.push('other series'))
  expect(begun).toEqual(['first', 'beside', 'other series'])
  first.release()
  await Promise.all([running, overlapping])
  expect(begun.at(-1)).toBe('overlapping')
})

test('a range is free again after its work has failed, and a wait for it ends when it is aborted', async () => {
  const ranges = new SeriesRanges()
  const begun: string[] = []
  const failing = ranges.run(series, hours(0, 4), never, async () => {
    throw new Error('the source is down')
  })
  const after = ranges.run(series, hours(0, 4), never, async () => begun.push('after'))
  await expect(failing).rejects.toThrow('the source is down')
  await after
  const holder = held(begun, 'holder')
  const running = ranges.run(series, hours(0, 4), never, holder.work)
  const stop = new AbortController()
  const stopped = ranges.run(series, hours(0, 4), stop.signal, async () => begun.push('stopped'))
  const waiting = ranges.run(series, hours(2, 4), never, async () => begun.push('waiting'))
  stop.abort(new Error('the process is stopping'))
  await expect(stopped).rejects.toThrow('the process is stopping')
  expect(begun).toEqual(['after', 'holder'])
  holder.release()
  await Promise.all([running, waiting])
  expect(begun).toEqual(['after', 'holder', 'waiting'])
})
