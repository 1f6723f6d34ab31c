import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The files of a new source, and what each is made of. */
const filesOf = (id: string): Readonly<Record<string, string>> => ({
  [`src/sources/${id}.ts`]: 'adapter.ts',
  [`src/sources/errors/${id}-errors.ts`]: 'errors.ts',
  [`src/replay/endpoints/${id}.ts`]: 'endpoint.ts',
  [`test/sources/recordings/${id}.ts`]: 'recording.ts',
  [`test/sources/${id}.test.ts`]: 'test.ts',
  [`test/sources/fixtures/${id}/candles_btcusdt_1h.json`]: 'candles.json',
  [`test/sources/fixtures/${id}/markets.json`]: 'markets.json',
  [`test/sources/fixtures/${id}/error_unknown_symbol.json`]: 'error.json',
})

/** A line that is put in front of another one, which the file has once. */
type Addition = Readonly<{ path: string; line: string; before: RegExp }>

const importBefore = (path: string, name: string, from: string): Addition => ({
  path,
  line: `import { ${name} } from '${from}'`,
  before: /^import /m,
})

function additionsFor(id: string, constant: string): Addition[] {
  const key = id === constant ? id : `'${id}'`
  const shorthand = id === constant ? id : `${key}: ${constant}`
  const variable = `${id.toUpperCase().replaceAll('-', '_')}_BASE_URL`
  return [
    { path: 'src/settings/source-ids.ts', line: `  '${id}',`, before: /^\] as const$/m },
    importBefore('src/sources/catalog.ts', constant, `./${id}.ts`),
    { path: 'src/sources/catalog.ts', line: `  ${shorthand},`, before: /^\}\n\nexport const hasCandles/m },
    importBefore('src/replay/endpoints.ts', `${constant}Endpoint`, `./endpoints/${id}.ts`),
    { path: 'src/replay/endpoints.ts', line: `  ${constant}Endpoint,`, before: /^\]$/m },
    importBefore('test/sources/recordings.ts', `${constant}Recordings`, `./recordings/${id}.ts`),
    { path: 'test/sources/recordings.ts', line: `  ${key}: ${constant}Recordings,`, before: /^\}$/m },
    {
      path: 'docs/sources.md',
      line: `| \`${id}\` | \`api.${id}.example\` | 500 | 1 | to the listing | | 10 per 1 s |`,
      before: /^\| `ccxt:NAME`/m,
    },
    {
      path: 'docs/environment.md',
      line: `| \`${variable}\` | ${id} | its API |`,
      before: /^\| `COINGECKO_BASE_URL`/m,
    },
  ]
}

/**
 * Writes the skeleton of a source into the project, and returns the files that were written or changed. It passes all
 * tests, and answers as an exchange that does not exist. Throws RangeError, with nothing written, for a name that cannot be.
 */
export function writeSource(projectDir: string, id: string): string[] {
  const constant = id.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
  const files = Object.entries(filesOf(id))
  const additions = additionsFor(id, constant)
  const read = (path: string) => readFileSync(join(projectDir, path), 'utf8')
  const code = additions.map(({ path }) => path).filter((path) => path.endsWith('.ts'))
  refuseName(id, constant, [...new Set(code)].map(read))
  const existing = files.map(([path]) => path).filter((path) => existsSync(join(projectDir, path)))
  if (existing.length > 0) throw new RangeError(`${existing.join(', ')} exists already: choose another name`)
  const changed = new Map<string, string>()
  for (const { path, line, before } of additions) {
    const text = changed.get(path) ?? read(path)
    if (!before.test(text))
      throw new Error(`${path} has no line like ${before}: write-source.ts is out of date`)
    changed.set(
      path,
      text.replace(before, (next) => `${line}\n${next}`),
    )
  }
  for (const [path, template] of files) {
    const text = readFileSync(new URL(`skeleton/${template}.txt`, import.meta.url), 'utf8')
    mkdirSync(dirname(join(projectDir, path)), { recursive: true })
    writeFileSync(join(projectDir, path), text.replaceAll('{{id}}', id).replaceAll('{{constant}}', constant))
  }
  for (const [path, text] of changed) writeFileSync(join(projectDir, path), text)
  return [...files.map(([path]) => path), ...changed.keys()]
}

/** A name is an id of commands and tables, part of a variable, and a constant in the code. */
function refuseName(id: string, constant: string, texts: readonly string[]): void {
  if (!/^[a-z][a-z0-9]{1,30}(?:-[a-z0-9]{1,30})*$/.test(id))
    throw new RangeError(
      `"${id}" cannot be the id of a source: write it in small letters, digits and single hyphens, such as okx or binance-us`,
    )
  if (isReserved(constant) || texts.some((text) => new RegExp(`\\b${constant}\\b`).test(text)))
    throw new RangeError(`"${id}" is taken by a source or by a word of the code: choose another name`)
}

function isReserved(constant: string): boolean {
  try {
    new Function(`'use strict'; const ${constant} = 0`)
    return false
  } catch {
    return true
  }
}
