#!/usr/bin/env node
// `npm run build`, which `npm ci` ends with, bundles the sources into dist/: that starts several times as fast. Where it was
// not built, or a source is younger, as in a checkout that somebody works on, the sources run as they are.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { tooSmallLimit } from './process-limits.mjs'

const packageDir = new URL('..', import.meta.url)
const bundle = new URL('dist/cli.js', packageDir)

const changedAt = (file) => statSync(file).mtimeMs

const sources = ['src/', 'jobs/', 'drizzle/'].flatMap((folder) =>
  readdirSync(new URL(folder, packageDir), { recursive: true })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => new URL(folder + name, packageDir)),
)
const isBuilt = existsSync(bundle) && Math.max(...sources.map(changedAt)) <= changedAt(bundle)

async function openSources() {
  const { register } = await import('tsx/esm/api')
  register()
  return import('./cli.ts')
}

const tooSmall = tooSmallLimit()
if (tooSmall === undefined) {
  process.setSourceMapsEnabled(true)
  const { main } = isBuilt ? await import(bundle.href) : await openSources()
  await main(process.argv)
} else {
  process.stderr.write(`error: ${tooSmall}\n`)
  process.exitCode = 1
}
