import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { filesBelow, projectDir, readText } from '../ground/project.ts'
import { readMatrix } from './matrix.ts'

const rows = Object.values(readMatrix()).flat()

/** As the title of a test stands in its file. */
const hasTitle = (text: string, title: string): boolean =>
  [`'${title.replaceAll("'", "\\'")}'`, `"${title}"`, `\`${title}\``].some((quoted) => text.includes(quoted))

/** Each kind with as many rows as it has: one that is left out is noticed. */
const counts = {
  exchange: 27,
  postgresql: 13,
  queue: 8,
  time: 3,
  maintenance: 11,
  access: 6,
  operators: 4,
  mixtures: 3,
}

describe('the matrix of faults', () => {
  test('has every fault of each kind, each once', () => {
    const found = Object.entries(readMatrix()).map(([kind, all]) => [kind, all.length])
    expect(Object.fromEntries(found)).toEqual(counts)
    expect(new Set(rows.map(({ fault }) => fault)).size).toBe(rows.length)
  })

  test.for(rows)('$fault: every test that it names exists', ({ tests }) => {
    expect(Object.keys(tests).length).toBeGreaterThan(0)
    for (const [file, titles] of Object.entries(tests)) {
      expect(existsSync(join(projectDir, file)), file).toBe(true)
      const text = readText(file)
      for (const title of titles) expect(hasTitle(text, title), `${file}: ${title}`).toBe(true)
    }
  })

  test('names every test of its own folder', () => {
    const named = new Set(rows.flatMap(({ tests }) => Object.keys(tests)))
    const others = filesBelow(['test/faults'], '.test.ts').filter((file) => !file.endsWith('/matrix.test.ts'))
    expect(others.filter((file) => !named.has(file))).toEqual([])
  })
})
