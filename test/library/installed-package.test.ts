import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { build, transform } from 'esbuild'
import { publint } from 'publint'
import { test as base, describe, expect } from 'vitest'
import { openReplayExchange } from '../../src/replay/exchange.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { baseUrlVariables } from '../../src/settings/base-url-variable.ts'
import { newEncryptionKeyEntry } from '../../src/settings/encryption-keys.ts'
import { blocksOf } from '../ground/markdown.ts'
import { projectDir, readText } from '../ground/project.ts'
import { createTestDatabase } from '../support/database.ts'
import { installPackage, outcomeOf } from './installed-package.ts'

/** One installation for all tests of this file. */
const test = base
  .extend('packageDir', { scope: 'file' }, projectDir)
  .extend('installed', { scope: 'file' }, async ({ packageDir }, { onCleanup }) => {
    const installed = await installPackage(packageDir)
    onCleanup(() => installed.remove())
    return installed
  })

const manifest = JSON.parse(readText('package.json')) as Readonly<{
  version: string
  exports: Record<string, unknown>
  peerDependencies: Record<string, string>
}>

const optionalPackages = Object.keys(manifest.peerDependencies)

const modules = Object.keys(manifest.exports)
  .filter((path) => path !== './package.json')
  .map((path) => path.replace('.', 'beacon-ingest'))

const examples = blocksOf(readText('docs/library.md')).filter(({ language }) => language === 'ts')

/** npm unpacks a hundred packages for the first of the tests. */
const installTimeoutMs = 300_000

const bareEnvironment = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' }

describe('the declarations', { timeout: installTimeoutMs }, () => {
  test('publint finds nothing in the package', async ({ installed }) => {
    const { messages } = await publint({
      pkgDir: join(installed.folder, 'node_modules/beacon-ingest'),
      pack: false,
    })
    expect(messages).toEqual([])
  })

  test('every module has the types of its code for whoever imports ESM', async ({ installed }) => {
    const result = await checkPackage(createPackageFromTarballData(await readFile(installed.tarball)))
    if (result.types === false) throw new Error('the package has no types')
    expect(Object.keys(result.entrypoints)).toContain('./daemon')
    // What is ESM only is imported and not required; the oldest resolution knows no `exports`.
    const tolerated = new Set(['node10', 'node16-cjs'])
    const problems = result.problems.filter(
      (problem) => !('resolutionKind' in problem && tolerated.has(problem.resolutionKind)),
    )
    expect(problems).toEqual([])
  })

  test('the examples of docs/library.md compile under strict, with every declaration of ours checked', async ({
    installed: { folder },
  }) => {
    expect(examples.length).toBeGreaterThanOrEqual(5)
    const files = await Promise.all(
      examples.map(async ({ text }, index) => {
        await writeFile(join(folder, `example-${index}.ts`), text)
        return `example-${index}.ts`
      }),
    )
    const compilerOptions = {
      target: 'es2023',
      module: 'nodenext',
      strict: true,
      skipLibCheck: false,
      noEmit: true,
      types: ['node'],
    }
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
    const compiler = join(projectDir, 'node_modules/typescript-compiler/bin/tsc')
    const { stdout } = await outcomeOf(process.execPath, [compiler, '-p', folder], { cwd: folder })
    const mistakes = stdout.split('\n').filter((line) => /error TS\d+/.test(line))
    // Its declarations name drivers that nobody installs.
    expect(mistakes.filter((line) => !line.startsWith('node_modules/drizzle-orm/'))).toEqual([])
  })
})

describe('the modules', { timeout: installTimeoutMs }, () => {
  test('importing all of them opens nothing and starts nothing', async ({ installed: { folder } }) => {
    const program = `
      import { deepStrictEqual } from 'node:assert'
      const state = () => ({
        env: { ...process.env }, cwd: process.cwd(),
        listeners: process.eventNames().map((name) => [String(name), process.listenerCount(name)]),
        prototypes: [Array, Date, Number, Object, Promise, String].map(({ prototype }) => Reflect.ownKeys(prototype)),
        timers: process.getActiveResourcesInfo().filter((name) => /Timeout|Socket|Server|TCP|Process/.test(name)),
      })
      const before = state()
      for (const name of ${JSON.stringify(modules)}) await import(name)
      deepStrictEqual(state(), before)`
    const { code, stdout, stderr } = await outcomeOf(
      process.execPath,
      ['--input-type=module', '--eval', program],
      { cwd: folder, env: bareEnvironment },
    )
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  test('a bundle holds only what it uses', async ({ installed: { folder } }) => {
    const contents = `import { toDecimal } from 'beacon-ingest'\nimport { run } from 'beacon-ingest/daemon'\nexport const price = toDecimal('1.5')`
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: folder },
      bundle: true,
      external: optionalPackages,
      minify: true,
      platform: 'node',
      format: 'esm',
      write: false,
    })
    expect(outputFiles[0]?.text.length).toBeLessThan(2_000)
  })

  test('the examples of docs/library.md run against a database and the replay exchange', async ({
    installed: { folder },
  }) => {
    const database = await createTestDatabase()
    const exchange = await openReplayExchange({ clock: systemClock })
    const env = {
      ...bareEnvironment,
      ...baseUrlVariables(exchange.urls),
      DATABASE_URL: database.url,
      BEACON_ENCRYPTION_KEYS: newEncryptionKeyEntry('a'),
    }
    try {
      const outputs = []
      for (const [index, { text }] of examples.entries()) {
        const { code } = await transform(text, { loader: 'ts' })
        const file = join(folder, `example-${index}.js`)
        await writeFile(file, code)
        outputs.push(await outcomeOf(process.execPath, [file], { cwd: folder, env }))
      }
      expect(outputs.map((output) => output.stderr)).toEqual(examples.map(() => ''))
      const [, , user, walked, daemon] = outputs
      expect(user?.stdout).toBe('ada@example.com 0\n')
      expect(walked?.stdout).toBe('48 candles up to 2024-05-03T00:00:00.000Z\n')
      expect(daemon?.stdout).toBe('running\nstopped\n')
    } finally {
      await exchange.close()
      await database.drop()
    }
  })
})

describe('the program', { timeout: installTimeoutMs }, () => {
  test('it is installed without a warning about Node.js or a peer', ({ installed: { warnings } }) => {
    expect(warnings).not.toMatch(/EBADENGINE|ERESOLVE|deprecated/)
  })

  test('it runs without a compiler, and says its version', async ({ installed: { folder } }) => {
    expect(
      ['tsx', 'esbuild', 'typescript'].filter((name) => existsSync(join(folder, 'node_modules', name))),
    ).toEqual([])
    const { stdout } = await outcomeOf('npx', ['beacon', '--version'], { cwd: folder })
    expect(stdout.trim()).toBe(manifest.version)
  })

  test('the demo starts, a backfill runs on its data, and SIGINT ends it', async ({
    installed: { folder },
  }) => {
    const program = join(folder, 'node_modules/.bin/beacon')
    const env = { ...bareEnvironment, BEACON_HTTP_PORT: '0' }
    const demo = spawn(program, ['demo'], { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] })
    const exited = once(demo, 'exit')
    try {
      let hint: string | undefined
      for await (const line of createInterface({ input: demo.stderr })) {
        hint = /\. (\S+environment) &&/.exec(line)?.[1]
        if (hint !== undefined) break
      }
      const command = `. ${hint} && beacon backfill bitcoin --timeframe 1h --from -2d --json`
      const path = `${join(folder, 'node_modules/.bin')}:${bareEnvironment.PATH}`
      const backfill = await outcomeOf('sh', ['-c', command], { cwd: folder, env: { ...env, PATH: path } })
      expect(backfill.code, backfill.stderr).toBe(0)
    } finally {
      demo.kill('SIGINT')
    }
    expect(await exited).toEqual([0, null])
  })
})
