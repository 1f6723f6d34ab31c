import { expect, test } from 'vitest'
import { filesBelow, readText } from './project.ts'

/** A busy machine makes anything late: what a limit cuts off is shown by its message, what goes on by a count. */
const elapsedTime =
  /expect\([^\n]*(?:\bnow\(\) - |\b(?:took|elapsed|slowest)Ms\b)[^\n]*\)\.toBe(?:Less|Greater)/

test('no test outside the benches expects how long something took', () => {
  const files = filesBelow(['test'], '.ts').filter((file) => !file.startsWith('test/bench/'))
  expect(files.filter((file) => elapsedTime.test(readText(file)))).toEqual([])
})
