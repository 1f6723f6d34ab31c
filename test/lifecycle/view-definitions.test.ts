import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { Misconfigured } from '../../src/fault.ts'
import { ensureView } from '../../src/store/lifecycle/view-definitions.ts'
import { refreshView } from '../../src/store/lifecycle/views.ts'
import { start } from '../store/loading.ts'
import { test as base } from '../support/database.ts'

const test = base.extend('folder', async ({ pool: _ }, { onCleanup }) => {
  const folder = await mkdtemp(join(tmpdir(), 'beacon-views-'))
  onCleanup(() => rm(folder, { recursive: true }))
  return folder
})

const countsTo = (last: number, name = 'numbers') => `
  create materialized view ${name} as select n from generate_series(1, ${last}) as n;
  create unique index on ${name} (n);`

test('a view with a file is made when it is not there, and anew when its text has changed', async ({
  pool,
  folder,
}) => {
  const file = join(folder, 'numbers.sql')
  const ensure = () => ensureView(pool, 'numbers', start, folder)
  await writeFile(file, countsTo(3))
  expect([await ensure(), await ensure()]).toEqual([true, false])
  expect(await refreshView(pool, 'numbers')).toEqual({ rows: 3 })
  await writeFile(file, countsTo(5))
  expect([await ensure(), await ensure()]).toEqual([true, false])
  expect(await refreshView(pool, 'numbers')).toEqual({ rows: 5 })
  await pool.query('drop materialized view numbers')
  expect(await ensure()).toBe(true)
})

test('several who want it at once make it once', async ({ pool, folder }) => {
  await writeFile(join(folder, 'together.sql'), countsTo(1, 'together'))
  const made = await Promise.all([1, 2, 3, 4].map(() => ensureView(pool, 'together', start, folder)))
  expect(made.filter(Boolean)).toHaveLength(1)
})

test('a view without a file is left to the migrations', async ({ pool, folder }) => {
  expect(await ensureView(pool, 'daily_price_summary', start, folder)).toBe(false)
  expect(await refreshView(pool, 'daily_price_summary')).toEqual({ rows: 0 })
})

test.for([
  ['does not run', 'create materialized view broken as selekt 1', /broken\.sql does not run \(syntax error/],
  ['makes no such view', countsTo(1, 'other'), /must create the materialized view broken/],
  ['has no unique index', 'create materialized view broken as select 1 as n', /a unique index/],
] as const)(
  'a file that %s is refused, and leaves what was there',
  async ([, text, message], { pool, folder }) => {
    const file = join(folder, 'broken.sql')
    await pool.query('drop materialized view if exists broken, other')
    await writeFile(file, countsTo(2, 'broken'))
    await ensureView(pool, 'broken', start, folder)
    await writeFile(file, text)
    const refused = ensureView(pool, 'broken', start, folder)
    await expect(refused).rejects.toThrow(Misconfigured)
    await expect(refused).rejects.toThrow(message)
    expect(await refreshView(pool, 'broken')).toEqual({ rows: 2 })
  },
)
