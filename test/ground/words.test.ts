import { describe, expect, test } from 'vitest'
import { filesBelow, readText } from './project.ts'
import { replacedWordsIn } from './words.ts'

/** Written by programs from texts of their own, and the document that the schema comes from. */
const others =
  /^docs\/(?:commands|configuration|data-model|error-codes|database-schema)\.md$|^docs\/monitoring\//

const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...filesBelow(['docs'], '.md')].filter(
  (path) => !others.test(path),
)

/** The prose alone, line by line: what stands in code or in a tag has names of its own. */
const proseOf = (page: string): string =>
  [/^```.*?^```/gms, /`[^`]*`/g, /<[^>]*>/g, /\]\([^)]*\)/g].reduce(
    (text, code) => text.replaceAll(code, (part) => part.replaceAll(/[^\n]/g, ' ')),
    page,
  )

describe('the words of the pages', () => {
  test.each(pages)('%s has only words of today', (page) => {
    expect(replacedWordsIn(proseOf(readText(page)))).toEqual([])
  })

  test.each([
    ['3 candles are owed', '1: "owed", write: missing'],
    ['fine\nthe ledger says so', '2: "ledger", write: coverage'],
    ['whoever is told', '1: "told", write: report; show'],
  ])('a replaced word is found: %s', (text, finding) => {
    expect(replacedWordsIn(text)).toContain(finding)
  })

  test('names in code may stay', () => {
    expect(replacedWordsIn(proseOf('the check `owed`, and\n```sh\nbeacon doctor --mend\n```\n'))).toEqual([])
  })
})
