import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { filesBelow, projectDir, readText } from './project.ts'

const run = promisify(execFile)

const manifest = z
  .object({
    bin: z.record(z.string(), z.string()),
    exports: z.record(
      z.string(),
      z.union([z.string(), z.object({ types: z.string(), default: z.string() })]),
    ),
    scripts: z.record(z.string(), z.string()),
    dependencies: z.record(z.string(), z.string()),
    devDependencies: z.record(z.string(), z.string()),
    peerDependencies: z.record(z.string(), z.string()),
    peerDependenciesMeta: z.record(z.string(), z.object({ optional: z.literal(true) })),
    overrides: z.record(z.string(), z.string()),
    '//overrides': z.record(z.string(), z.string()),
  })
  .parse(JSON.parse(readText('package.json')))

const lock = z
  .object({
    packages: z.record(
      z.string(),
      z.object({
        dev: z.boolean().optional(),
        devOptional: z.boolean().optional(),
        optional: z.boolean().optional(),
      }),
    ),
  })
  .parse(JSON.parse(readText('package-lock.json')))

/** What `npm ci --omit=dev` installs. */
const installed = Object.entries(lock.packages).flatMap(([path, { dev }]) =>
  dev || path === '' ? [] : [path.split('node_modules/').at(-1) ?? ''],
)

test.each([
  'typescript',
  'typescript-compiler',
  'esbuild',
  'tsx',
  '@aws-sdk/client-s3',
  'ccxt',
  '@duckdb/node-api',
  'apache-arrow',
])('a production install does without %s', (name) => {
  expect(installed.length).toBeGreaterThan(100)
  expect(installed).not.toContain(name)
})

test('every optional package is optional as a peer, and installed for the tests', () => {
  const peers = Object.keys(manifest.peerDependencies)
  expect(Object.keys(manifest.peerDependenciesMeta)).toEqual(peers)
  expect(Object.keys(manifest.devDependencies)).toEqual(expect.arrayContaining(peers))
  expect(Object.keys(manifest.dependencies).filter((name) => peers.includes(name))).toEqual([])
})

test('the scripts are the same commands in the shells of Windows and of Linux', () => {
  expect(
    Object.values(manifest.scripts).filter((script) => !/^[\w .:@/*-]+( && [\w .:@/*-]+)*$/.test(script)),
  ).toEqual([])
})

test('every override has its reason beside it', () => {
  expect(Object.keys(manifest['//overrides'])).toEqual(Object.keys(manifest.overrides))
})

test('the package holds what the program reads and the declarations of the library, and no source', async () => {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: projectDir,
  })
  const packed = z
    .tuple([z.object({ files: z.array(z.object({ path: z.string() })) })])
    .parse(JSON.parse(stdout))[0]
    .files.map(({ path }) => path)
  const declared = Object.values(manifest.exports).flatMap((target) =>
    typeof target === 'string' ? [] : [target.types.slice(2), target.default.slice(2)],
  )
  const needed = [
    ...Object.values(manifest.bin),
    ...filesBelow(['config', 'drizzle/migrations', 'drizzle/views', 'src/replay/recordings'], ''),
    'dist/page/status.js',
    'dist/page/status.css',
    'dist/page/icon.svg',
    'LICENSE',
    'README.md',
  ]
  expect(packed).toEqual(expect.arrayContaining(needed))
  const sources = packed.filter((path) => /(?<!\.d)\.ts$/.test(path) && !path.startsWith('node_modules/'))
  expect(sources).toEqual([])
  expect(packed).toEqual(expect.arrayContaining(declared))
})

/** What a built file imports before it runs, and what those files import; dynamic imports are not among them. */
function importsOf(file: string, seen = new Set<string>()): Set<string> {
  for (const [, target = ''] of readText(file).matchAll(/^(?:import|export)\b[^"]*"([^"]+)";$/gm)) {
    const isOurs = target.startsWith('./')
    const name = isOurs ? join('dist', target) : target
    if (seen.has(name)) continue
    seen.add(name)
    if (isOurs) importsOf(name, seen)
  }
  return seen
}

test('the help loads one package, and nothing of what the commands do', () => {
  const [, commandLine = ''] = /\bimport\("\.\/(cli-\w+\.js)"\)/.exec(readText('dist/beacon.js')) ?? []
  const packages = [...importsOf('dist/beacon.js'), ...importsOf(join('dist', commandLine))].filter(
    (name) => !/^(dist\/|node:)/.test(name),
  )
  expect(packages).toEqual(['commander'])
})
