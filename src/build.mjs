// Builds `dist/`, which is what the package ships: the program, and the files that a browser loads. Development only.
import { copyFile, rm } from 'node:fs/promises'
import { build } from 'esbuild'

process.chdir(new URL('..', import.meta.url).pathname)
await rm('dist', { recursive: true, force: true })

await build({
  entryPoints: ['src/beacon.ts'],
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
