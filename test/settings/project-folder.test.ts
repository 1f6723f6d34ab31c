import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test as base, expect } from 'vitest'
import { projectVariables, readEnvironmentText } from '../../src/settings/project-folder.ts'
import { readSettings } from '../../src/settings.ts'

const test = base.extend<{ folder: string }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the parameter's pattern
  folder: async ({}, use) => {
    const folder = await mkdtemp(join(tmpdir(), 'beacon-project-'))
    await mkdir(join(folder, 'a', 'b'), { recursive: true })
    await use(folder)
    await rm(folder, { recursive: true })
  },
})

test('the nearest folder with beacon.yaml or .beacon holds data, configuration and environment', async ({
  folder,
}) => {
  const below = join(folder, 'a', 'b')
  await mkdir(join(folder, '.beacon'))
  await writeFile(join(folder, '.env'), 'REDIS_URL=redis://other')
  // Without a beacon.yaml beside it, a .env is another program's.
  expect(projectVariables({}, below)).toEqual({ BEACON_DATA_DIR: join(folder, '.beacon') })
  expect(projectVariables({}, folder)).toEqual({})
  await writeFile(join(folder, 'a', 'beacon.yaml'), 'track: all')
  await writeFile(join(folder, 'a', '.env'), 'DATABASE_URL=postgresql://a/b\nREDIS_URL=redis://file\n')
  expect(projectVariables({ REDIS_URL: 'redis://set', BEACON_DATA_DIR: 'x' }, below)).toEqual({
    BEACON_CONFIG: join(folder, 'a', 'beacon.yaml'),
    DATABASE_URL: 'postgresql://a/b',
  })
})

test('a .env is read as a shell reads it', () => {
  const text = [
    '# comment',
    'PLAIN=a b # not this',
    "SINGLE='a # b'",
    'DOUBLE="x=y"',
    'export EXPORTED=1',
    '  SPACED = 2  ',
    'EMPTY=',
    '#OFF=1',
    'URL=postgresql://u:p#w@h/d?x=1',
    'WINDOWS=1\r',
  ].join('\n')
  expect(readEnvironmentText(text)).toEqual({
    PLAIN: 'a b',
    SINGLE: 'a # b',
    DOUBLE: 'x=y',
    EXPORTED: '1',
    SPACED: '2',
    URL: 'postgresql://u:p#w@h/d?x=1',
    WINDOWS: '1',
  })
})

test('a timeframe that is off is not configured', async ({ folder }) => {
  const file = join(folder, 'beacon.yaml')
  await writeFile(file, 'timeframes:\n  1m: off\n  5m: false\n')
  expect(Object.keys(readSettings({}, file).timeframes)).toEqual(['1h', '1d'])
})
