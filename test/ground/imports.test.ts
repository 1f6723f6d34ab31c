import { basename, dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { jobs } from '../../jobs/catalog.ts'
import { filesBelow, readText } from './project.ts'

type Import = Readonly<{ file: string; target: string; typesOnly: boolean }>

const statement = /^(?:import|export)\b([^'"()=]*?)(?:\bfrom\s+)?'([^']+)'|\bimport\(\s*'([^']+)'/gm

function importsOf(file: string): Import[] {
  return [...readText(file).matchAll(statement)].map(([, what = '', target, lazy]) => ({
    file,
    target: resolved(file, target ?? lazy ?? ''),
    typesOnly: isTypesOnly(what),
  }))
}

const resolved = (file: string, target: string): string =>
  target.startsWith('.') ? join(dirname(file), target) : target

function isTypesOnly(what: string): boolean {
  if (/^\s+type\b/.test(what)) return true
  const names = /^\s*\{([^}]*)\}\s*$/.exec(what)?.[1]?.split(',') ?? ['value']
  return names.every((name) => name.trim() === '' || name.trim().startsWith('type '))
}

const code = filesBelow(['src', 'jobs', 'drizzle'], '.ts')
const imports: readonly Import[] = code.flatMap(importsOf)

/** From left to right: each may import what stands before it, never what stands beside or behind it. */
const layers: readonly (readonly string[])[] = [
  ['src/market', 'src/fault.ts', 'src/package-dir.ts', 'src/command-line.ts'],
  ['src/missing-package.ts'],
  ['drizzle', 'src/settings', 'src/settings.ts', 'src/http', 'src/encryption'],
  ['src/sources', 'src/store', 'src/replay'],
  ['src/runtime', 'src/accounts', 'src/queries'],
  ['src/ingest'],
  ['src/lifecycle'],
  ['src/files'],
  ['src/queue'],
  ['jobs', 'src/metrics', 'src/tracing'],
  ['src/missed-runs.ts'],
  ['src/fleet.ts'],
  ['src/status'],
  ['src/backfill.ts', 'src/scheduler.ts', 'src/workers.ts', 'src/web'],
  ['src/monitoring'],
  ['src/daemon.ts'],
  ['src/cli', 'src/cli.ts'],
  ['src/beacon.ts'],
]

/** These know nothing of the rest, and all the rest is handed them. */
const forEverybody = ['clock', 'joined-signal', 'log', 'redaction', 'release', 'trace'].map(
  (name) => `src/runtime/${name}.ts`,
)

/** Two names of one thing, the second the door of the first. */
const together: readonly (readonly [string, string])[] = [
  ['src/settings', 'src/settings.ts'],
  ['src/cli', 'src/cli.ts'],
]

const isWithin = (path: string, place: string): boolean => path === place || path.startsWith(`${place}/`)

const layerOf = (path: string): number =>
  layers.findIndex((places) => places.some((place) => isWithin(path, place)))

const placeOf = (path: string): string => layers.flat().find((place) => isWithin(path, place)) ?? path

function mayImport({ file, target }: Import): boolean {
  const [from, to] = [placeOf(file), placeOf(target)]
  if (from === to || forEverybody.includes(target)) return true
  if (together.some((pair) => pair.includes(from) && pair.includes(to))) return true
  return layerOf(target) < layerOf(file)
}

const isOurs = ({ target }: Import): boolean => target.endsWith('.ts')
const reported = ({ file, target }: Import): string => `${file} imports ${target}`

describe('the direction of imports', () => {
  test('every file stands in one of the layers', () => {
    expect(code.filter((file) => layerOf(file) === -1)).toEqual([])
  })

  test('a file imports only what stands to the left of its folder', () => {
    expect(imports.filter(isOurs).length).toBeGreaterThan(100)
    expect(imports.filter((one) => isOurs(one) && !mayImport(one)).map(reported)).toEqual([])
  })

  test('what everybody may import knows neither a source nor the database', () => {
    const known = imports.filter((one) => isOurs(one) && forEverybody.includes(one.file))
    const deepest = layers.findIndex((places) => places.includes('src/settings'))
    const tooDeep = known.filter(({ target }) => !forEverybody.includes(target) && layerOf(target) > deepest)
    expect(tooDeep.map(reported)).toEqual([])
  })
})

/** The imports from one file back to itself, each file once; undefined where there are none. */
function cycleFrom(file: string, graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const cameFrom = new Map<string, string>()
  const waiting = [file]
  for (const current of waiting) {
    for (const target of graph.get(current) ?? []) {
      if (target === file) return wayTo(current, cameFrom)
      if (cameFrom.has(target)) continue
      cameFrom.set(target, current)
      waiting.push(target)
    }
  }
  return undefined
}

const wayTo = (file: string, cameFrom: ReadonlyMap<string, string>): string[] => {
  const before = cameFrom.get(file)
  return [...(before === undefined ? [] : wayTo(before, cameFrom)), file]
}

const graphOf = (all: readonly Import[]): ReadonlyMap<string, readonly string[]> => {
  const files = [...new Set(all.map(({ file }) => file))]
  return new Map(
    files.map((name) => [name, all.filter(({ file }) => file === name).map(({ target }) => target)]),
  )
}

describe('cycles of imports', () => {
  test('there are none, of types neither', () => {
    const graph = graphOf([...imports, ...filesBelow(['test'], '.ts').flatMap(importsOf)].filter(isOurs))
    expect([...graph.keys()].flatMap((file) => cycleFrom(file, graph)?.join(' → ') ?? [])).toEqual([])
  })

  test('one through three files is found, with its way', () => {
    const graph = new Map([
      ['a', ['b']],
      ['b', ['x', 'c']],
      ['c', ['a']],
    ])
    expect(cycleFrom('a', graph)).toEqual(['a', 'b', 'c'])
    expect(cycleFrom('x', graph)).toBeUndefined()
  })
})

/** Package → the places that may use it. Its types alone may be named anywhere. */
const keepers: Readonly<Record<string, readonly string[]>> = {
  axios: ['src/http'],
  pg: ['src/store', 'src/runtime', 'src/queue', 'src/http/budget.ts'],
  'pg-copy-streams': ['src/store'],
  bullmq: ['src/queue', 'src/web'],
  fastify: ['src/web'],
  commander: ['src/cli', 'src/cli.ts'],
  'prom-client': ['src/web'],
  pino: ['src/runtime/log.ts'],
  hyparquet: ['src/lifecycle/archive'],
  'hyparquet-writer': ['src/lifecycle/archive'],
  '@aws-sdk/client-s3': ['src/lifecycle/archive'],
  '@aws-sdk/lib-storage': ['src/lifecycle/archive'],
  '@duckdb/node-api': ['src/lifecycle/archive'],
  'apache-arrow': ['src/files/formats'],
  lz4js: ['src/files/formats'],
  '@opentelemetry/api': ['src/tracing'],
  '@opentelemetry/sdk-trace-base': ['src/tracing'],
  '@opentelemetry/resources': ['src/tracing'],
  '@opentelemetry/exporter-trace-otlp-http': ['src/tracing'],
}

describe('packages with one keeper', () => {
  test.each(Object.entries(keepers))('%s is called only in %j', (name, places) => {
    const users = imports.filter(({ target, typesOnly }) => target === name && !typesOnly)
    expect(users.filter(({ file }) => !places.some((place) => isWithin(file, place))).map(reported)).toEqual(
      [],
    )
  })
})

describe('one file, one thing', () => {
  test('every job is in the catalog under the name of its file', () => {
    const files = filesBelow(['jobs'], '.ts').map((file) => basename(file, '.ts'))
    expect(jobs.map(({ name }) => name).sort()).toEqual(files.filter((name) => name !== 'catalog'))
  })

  test('no file has a default export', () => {
    expect(code.filter((file) => /^export default\b/m.test(readText(file)))).toEqual([])
  })

  test('no file only passes on what others export', () => {
    expect(
      code.filter((file) => /^export\s+(?:type\s+)?(?:\*|\{[^}]*\})\s+from\b/m.test(readText(file))),
    ).toEqual([])
    expect(code.filter((file) => ['index.ts', 'utils.ts'].includes(basename(file)))).toEqual([])
  })

  test('the machine is asked for the time in one place', () => {
    const askers = code.filter((file) => /\bDate\.now\(|\bnew Date\(\)/.test(readText(file)))
    expect(askers).toEqual(['src/runtime/clock.ts'])
  })
})
