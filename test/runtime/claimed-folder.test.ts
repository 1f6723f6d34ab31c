import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { test as base, expect } from 'vitest'
import { Misconfigured } from '../../src/fault.ts'
import { claimFolder } from '../../src/runtime/claimed-folder.ts'

const test = base.extend('parent', async ({ task: _ }, { onCleanup }) => {
  const parent = await mkdtemp(join(tmpdir(), 'beacon-claims-'))
  onCleanup(() => rm(parent, { recursive: true }))
  return parent
})

test('folders that are claimed at once are different, and one that is released is claimed again', async ({
  parent,
}) => {
  const claims = await Promise.all([1, 2, 3].map(() => claimFolder(parent, 'demo')))
  const names = claims.map(({ path }) => basename(path))
  expect(names.toSorted()).toEqual(['demo', 'demo-2', 'demo-3'])
  await claims[names.indexOf('demo-2')]?.release()
  expect(basename((await claimFolder(parent, 'demo')).path)).toBe('demo-2')
  expect(basename((await claimFolder(parent, 'demo')).path)).toBe('demo-4')
})

test('the claim of a process that is gone does not count', async ({ parent }) => {
  const { path, release } = await claimFolder(parent, 'demo')
  await release()
  // The largest pid there can be, and a start that no process has.
  await writeFile(join(path, 'claims', '4194304.0-0.abcdef12'), '')
  expect((await claimFolder(parent, 'demo')).path).toBe(path)
})

test('a file in the way is named with what helps', async ({ parent }) => {
  await writeFile(join(parent, 'file'), '')
  const claiming = claimFolder(join(parent, 'file'), 'demo')
  await expect(claiming).rejects.toThrow(Misconfigured)
  await expect(claiming).rejects.toThrow(/a file is in its way: set BEACON_DATA_DIR/)
})
