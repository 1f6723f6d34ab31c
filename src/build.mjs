// Builds `dist/`, which is what the package ships: the program, the library with its types, and the files that a browser loads. Development only.
import { copyFile, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { buildTypes } from './library/build-types.mjs'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
await rm('dist', { recursive: true, force: true })

/** The modules that other programs import, as `exports` of package.json names them. */
const library = ['root', 'schema', 'queries', 'accounts', 'sources', 'daemon']
const types = buildTypes(library)

await build({
  // All of them directly in `dist/`: from there, the package's folder is found one level up.
  entryPoints: ['src/beacon.ts', ...library.map((name) => `src/library/${name}.ts`)],
  entryNames: '[name]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  sourcemap: true,
  sourcesContent: false,
  outdir: 'dist',
  logLevel: 'warning',
})

// One script and one style sheet, the colours before anything is drawn, and the chart library in a chunk of its own: each file costs a browser a request.
await build({
  entryPoints: [
    { in: 'src/web/assets/theme.ts', out: 'theme' },
    { in: 'src/web/assets/status.ts', out: 'status' },
    { in: 'src/web/assets/series.ts', out: 'series' },
    { in: 'src/web/assets/run.ts', out: 'run' },
    { in: 'src/web/assets/styles/status.css', out: 'status' },
  ],
  bundle: true,
  splitting: true,
  minify: true,
  format: 'esm',
  target: ['chrome110', 'firefox115', 'safari16.4'],
  outdir: 'dist/page',
  chunkNames: '[name]-[hash]',
  logLevel: 'warning',
})
await copyFile('src/web/assets/icon.svg', 'dist/page/icon.svg')
await types
