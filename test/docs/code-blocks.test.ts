import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect } from 'vitest'
import { parse } from 'yaml'
import { configuration } from '../../src/settings/schema.ts'
import { readSettings } from '../../src/settings.ts'
import { blocksOf } from '../ground/markdown.ts'
import { filesBelow, readText } from '../ground/project.ts'
import { test } from '../support/database.ts'

const run = promisify(execFile)

const blocks = ['README.md', 'CONTRIBUTING.md', ...filesBelow(['docs'], '.md')].flatMap((page) =>
  blocksOf(readText(page)).map((block, index) => ({ ...block, place: `${page}, block ${index + 1}` })),
)
const inLanguage = (language: string) => blocks.filter((block) => block.language === language)

const settings = new Set(Object.keys(configuration.shape))
const isConfiguration = (text: string): boolean =>
  Object.keys(parse(text) ?? {}).every((key) => settings.has(key))

const withFolder = test
  .extend('template', { scope: 'file' }, join(tmpdir(), 'beacon-blocks-'))
  .extend('folder', { scope: 'file' }, async ({ template }, { onCleanup }) => {
    const folder = await mkdtemp(template)
    onCleanup(() => rm(folder, { recursive: true, force: true }))
    return folder
  })

describe('configuration', () => {
  withFolder.for(inLanguage('yaml').filter(({ text }) => isConfiguration(text)))(
    '$place is accepted over the defaults',
    async ({ text }, { folder }) => {
      const file = join(folder, 'overlay.yaml')
      await writeFile(file, text)
      expect(() => readSettings({}, file)).not.toThrow()
    },
  )

  withFolder('most blocks of YAML are configuration', () => {
    const all = inLanguage('yaml')
    expect(all.filter(({ text }) => isConfiguration(text)).length).toBeGreaterThan(all.length / 2)
  })
})

describe('shell', () => {
  test('every block has the grammar of bash', async () => {
    for (const { place, text } of inLanguage('sh')) {
      const { stderr } = await run('bash', ['-n', '-c', text])
      expect(stderr, place).toBe('')
    }
  })
})

/** Pages whose statements a test of their own runs, and the one that speaks to DuckDB. */
const triedElsewhere = /^docs\/(?:migrations|audit-log|archive|proofs)\.md/

describe('SQL', () => {
  const queries = inLanguage('sql').filter(
    ({ place, text }) => !triedElsewhere.test(place) && /^(?:select|with)\b/.test(text),
  )

  test.for(queries)('$place is planned by a migrated database', async ({ text }, { pool }) => {
    const { rows } = await pool.query(`explain ${text}`)
    expect(rows.length).toBeGreaterThan(0)
  })
})
