import { expect, test } from 'vitest'
import { withoutWaiting } from '../../src/ingest/without-waiting.ts'
import { minute } from '../../src/market/instant.ts'
import { promised } from '../queue/fleet.ts'

/** The second answer comes when somebody lets it. */
async function* answersTo(goOn: Promise<void>) {
  yield 'first'
  await goOn
  yield 'second'
}

test('a source that keeps its next answer waiting is not waited for before something else is done', async () => {
  const { promise, keep } = promised()
  const seen: string[] = []
  for await (const answer of withoutWaiting(answersTo(promise), 1, async () => keep())) seen.push(answer)
  expect(seen).toEqual(['first', 'second'])
})

test('nothing else is done where each answer comes in time', async () => {
  let calls = 0
  const meanwhile = async () => {
    calls += 1
  }
  const seen: string[] = []
  for await (const answer of withoutWaiting(answersTo(Promise.resolve()), minute, meanwhile))
    seen.push(answer)
  expect({ seen, calls }).toEqual({ seen: ['first', 'second'], calls: 0 })
})
