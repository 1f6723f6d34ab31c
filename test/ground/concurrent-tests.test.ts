import { expect, test } from 'vitest'
import { filesBelow, readText } from './project.ts'

const files = filesBelow(['test'], '.ts').filter((file) => file !== 'test/ground/concurrent-tests.test.ts')
const isTest = (file: string): boolean => file.endsWith('.test.ts')

/** The exports of the helpers that call `expect.poll`. */
const polling = files
  .filter((file) => !isTest(file))
  .flatMap((file) => readText(file).split(/^export (?=[a-z])/m))
  .filter((text) => text.includes('expect.poll('))
  .flatMap((text) => /^(?:async )?(?:function|const) (\w+)/.exec(text)?.[1] ?? [])

/** The names that a file imports from helpers. */
const importedBy = (text: string): string[] =>
  [...text.matchAll(/^import \{([^}]*)\} from '(\.[^']*)'/gm)]
    .filter(([, , path = '']) => !path.endsWith('support/eventually.ts'))
    .flatMap(([, names = '']) => names.split(',').map((name) => name.trim()))

// The global `expect.poll` belongs to the test that began last, and fails once any test beside it has ended.
test('tests that run side by side wait with eventually, and not with expect.poll', () => {
  expect(polling).not.toEqual([])
  const concurrent = files.filter((file) => isTest(file) && /\.concurrent\b/.test(readText(file)))
  expect(concurrent).not.toEqual([])
  const wrong = concurrent.filter((file) => {
    const text = readText(file)
    return text.includes('expect.poll(') || importedBy(text).some((name) => polling.includes(name))
  })
  expect(wrong).toEqual([])
})
