import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packageDir } from '../package-dir.ts'

/** One of the few files that a browser is sent. */
export type PageFile = Readonly<{ name: string; content: Buffer }>

const sources = new URL('src/web/assets/', packageDir)
const built = new URL('dist/page/', packageDir)

/** As `npm run build` has made them, or made now where it was not run since a source has changed. */
export async function readBundle(): Promise<PageFile[]> {
  if (!(await isBuilt())) return bundlePage()
  const names = await readdir(built)
  return Promise.all(names.map(async (name) => ({ name, content: await readFile(new URL(name, built)) })))
}

/** Makes the files, and keeps them. */
export async function buildPage(): Promise<void> {
  const files = await bundlePage()
  await rm(built, { recursive: true, force: true })
  await mkdir(built, { recursive: true })
  for (const { name, content } of files) await writeFile(new URL(name, built), content)
}

/** Each file is one request, and a request costs a browser more than its bytes: one script, and the library for candles. */
async function bundlePage(): Promise<PageFile[]> {
  const { build } = await import('esbuild')
  const { outputFiles } = await build({
    entryPoints: ['status.js', 'status.css'].map((name) => fileURLToPath(new URL(name, sources))),
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    target: ['chrome110', 'firefox115', 'safari16.4'],
    outdir: fileURLToPath(built),
    chunkNames: '[name]-[hash]',
    write: false,
    logLevel: 'warning',
  })
  return outputFiles.map(({ path, contents }) => ({ name: basename(path), content: Buffer.from(contents) }))
}

async function isBuilt(): Promise<boolean> {
  const [from, to] = await Promise.all([changesIn(sources), changesIn(built)])
  return to.length > 0 && Math.max(...from) <= Math.min(...to)
}

/** When each of a folder's files was written; nothing where there is no such folder. */
async function changesIn(folder: URL): Promise<number[]> {
  const names = await readdir(folder).catch(() => [])
  return Promise.all(names.map(async (name) => (await stat(new URL(name, folder))).mtimeMs))
}
