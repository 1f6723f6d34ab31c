import { getEventListeners, once } from 'node:events'
import { expect, test } from 'vitest'
import { joinSignals } from '../../src/runtime/joined-signal.ts'

const farMs = 1_000_000

test('aborts with the first of its sources, for its reason', () => {
  const [first, second] = [new AbortController(), new AbortController()]
  const joined = joinSignals([first.signal, undefined, second.signal], farMs)
  expect(joined.signal.aborted).toBe(false)
  second.abort('stopped')
  first.abort('too late')
  expect(joined.signal.reason).toBe('stopped')
  expect(joined.isLate()).toBe(false)
  joined.release()
})

test('is aborted from the beginning where a source is', () => {
  const joined = joinSignals([AbortSignal.abort('over')], farMs)
  expect(joined.signal.reason).toBe('over')
  joined.release()
})

test('aborts when its time is up, and says so', async () => {
  const source = new AbortController()
  const joined = joinSignals([source.signal], 1)
  await once(joined.signal, 'abort')
  expect(joined.isLate()).toBe(true)
  expect(joined.signal.reason).toMatchObject({ name: 'TimeoutError' })
  source.abort()
  expect(joined.isLate()).toBe(true)
  joined.release()
})

test('leaves nothing at its sources once it is released, however many there were', () => {
  const source = new AbortController()
  for (let count = 0; count < 100; count += 1) joinSignals([source.signal], farMs).release()
  expect(getEventListeners(source.signal, 'abort')).toEqual([])
  const joined = joinSignals([source.signal])
  joined.release()
  source.abort()
  expect(joined.signal.aborted).toBe(false)
})
