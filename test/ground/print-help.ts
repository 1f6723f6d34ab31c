import { main } from '../../src/cli.ts'

// All in one process: most of what a command costs is its start.
for (const path of process.argv.slice(2)) {
  await main(['node', 'beacon', ...path.split(' ').filter((word) => word !== ''), '--help'])
  process.stdout.write('\f')
}
