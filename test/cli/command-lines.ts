// Runs the command lines it is handed, one after the other, and marks on both outputs where each ends.
import { z } from 'zod'
import { main } from '../../src/cli.ts'

const lines = z
  .array(z.object({ args: z.array(z.string()), variables: z.record(z.string(), z.string()) }))
  .parse(JSON.parse(process.argv[2] ?? ''))
const inherited = { ...process.env }
for (const { args, variables } of lines) {
  process.env = { ...inherited, ...variables }
  process.exitCode = 0
  await main(['node', 'beacon', ...args])
  process.stdout.write(`\u001f${process.exitCode}\u001e`)
  process.stderr.write('\u001e')
}
process.exitCode = 0
