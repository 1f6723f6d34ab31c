import { expect, test } from 'vitest'
import { filesBelow, readText } from './project.ts'

/** The one translator of what a schema refuses, and the place that adds file and line. */
const translators = [
  'src/settings/plain-issues.ts',
  'src/settings/config-files.ts',
  'src/settings/environment.ts',
]

test('nothing but the translator shows how zod words what it refuses', () => {
  const files = filesBelow(['src', 'jobs'], '.ts').filter((file) => !translators.includes(file))
  const worded = files.filter((file) =>
    /prettifyError|flattenError|formatError|issues\b[^;\n]*\bmessage\b/.test(readText(file)),
  )
  expect(worded).toEqual([])
})
