import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { projectDir } from '../ground/project.ts'
import { writeSource } from './write-source.ts'

const execute = promisify(execFile)

let copy: string
beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), 'beacon-new-source-'))
  const paths = ['config', 'docs', 'drizzle', 'jobs', 'src', 'test', 'docker-compose.yml', 'package.json']
  for (const path of [...paths, 'tsconfig.json'])
    await cp(join(projectDir, path), join(copy, path), { recursive: true })
  await symlink(join(projectDir, 'node_modules'), join(copy, 'node_modules'))
})
afterAll(() => rm(copy, { recursive: true, force: true }))

/** The end of a program in the copy. The variables of this run would make the other one a worker of it. */
async function run(program: string, args: readonly string[]): Promise<string> {
  const env = { NO_COLOR: '1', PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' }
  const path = join(copy, 'node_modules/.bin', program)
  const ended = execute(path, args, { cwd: copy, env }).catch((error: unknown) => error)
  const { code = 0, stdout, stderr } = (await ended) as { code?: number; stdout: string; stderr: string }
  return `${code}\n${stdout}${stderr}`
}

const config = (files: readonly string[]) =>
  `export default { test: { include: ${JSON.stringify(files)}, testTimeout: 120000 } }`

test('a new source compiles, conforms, is played by the replay exchange and stands in the docs', async () => {
  const written = writeSource(copy, 'new-exchange')
  expect(written).toEqual(
    expect.arrayContaining(['src/sources/new-exchange.ts', 'src/replay/endpoints/new-exchange.ts']),
  )
  expect(await run('tsc', ['--noEmit'])).toBe('0\n')
  const files = [
    'test/sources/conformance.test.ts',
    'test/sources/new-exchange.test.ts',
    'test/replay/exchange.test.ts',
    'test/ground/sources-page.test.ts',
    'test/ground/environment-page.test.ts',
  ]
  await writeFile(join(copy, 'vitest.config.mjs'), config(files))
  const names = 'new-exchange|every source|UNKNOWN_SYMBOL|page'
  const ended = await run('vitest', ['run', '--config', 'vitest.config.mjs', '-t', names])
  expect(ended).toMatch(/^0\n/)
  expect(ended).toContain('Test Files  5 passed (5)')
})

describe('a name', () => {
  test.each(['Okx', 'a', 'ccxt:okx', '../x', '1inch', 'a--b', 'a-', ''])('%j is no id of a source', (id) => {
    expect(() => writeSource(copy, id)).toThrow(/cannot be the id of a source/)
  })

  test.each(['okx', 'binance-archive', 'sources', 'new'])('%s that is taken is refused', (id) => {
    expect(() => writeSource(copy, id)).toThrow(/is taken/)
  })

  test('whose files exist is refused, and nothing is changed', async () => {
    const file = join(copy, 'test/sources/fixtures/digifinex/markets.json')
    await mkdir(join(file, '..'), { recursive: true })
    await writeFile(file, '[]')
    const ids = await readFile(join(copy, 'src/settings/source-ids.ts'), 'utf8')
    expect(() => writeSource(copy, 'digifinex')).toThrow(/fixtures\/digifinex\/markets.json exists already/)
    expect(await readFile(join(copy, 'src/settings/source-ids.ts'), 'utf8')).toBe(ids)
  })
})
