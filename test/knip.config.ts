import type { KnipConfig } from 'knip'

// `knip` reports what neither the program nor a test uses, `knip --production` what only tests use. There, an export
// that its own file uses is one that a test calls on its own.
const isProduction = process.argv.includes('--production')

const config: KnipConfig = {
  entry: [
    'src/beacon.ts!',
    'src/web/assets/{status,series,run,theme}.ts!',
    // The hub's way to its tables.
    '{drizzle/schema,src/accounts,src/queries}/*.ts!',
    // Programs that tests and benches start.
    'test/{bench/bench,cli/support/command-lines,ground/print-help,runtime/embedded-user}.ts',
    'test/**/*-process.ts',
  ],
  project: ['{src,jobs,drizzle}/**/*.ts!', 'test/**/*.{ts,mjs}'],
  ignoreExportsUsedInFile: isProduction,
  // Of the system.
  ignoreBinaries: ['mount', 'umount', 'psql'],
}

export default config
