import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { packageDir } from '../../src/package-dir.ts'

/** As deep as `src` and `dist`, so that the package is found from there. */
const outDir = new URL('dist-test/', packageDir)

/** What tests run in processes of their own, to kill them or to give them another environment; and the benches. */
const scripts = [
  'lifecycle/archive/archiving-process',
  'bench/bench',
  'bench/budget-process',
  'bench/memory-process',
  'cli/support/command-lines',
  'ground/print-help',
  'lifecycle/retention-process',
  'queue/working-process',
  'runtime/embedded-user',
  'store/loading-process',
  'store/refreshing-process',
] as const

/** The file to run with Node. */
export const scriptFile = (script: (typeof scripts)[number]): string =>
  fileURLToPath(new URL(`${script.split('/').at(-1)}.js`, outDir))

/** Bundles them once for the whole run: each start of one is then several times as fast. */
export async function setup(): Promise<void> {
  await rm(outDir, { recursive: true, force: true })
  await build({
    entryPoints: scripts.map((script) => fileURLToPath(new URL(`test/${script}.ts`, packageDir))),
    entryNames: '[name]',
    outdir: fileURLToPath(outDir),
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    logLevel: 'warning',
  })
}
