// Runs the command lines it is sent, one after the other, and marks on both outputs where each ends. It ends with whoever
// started it.
import { z } from 'zod'
import { main } from '../../../src/cli.ts'

const lines = z.array(z.object({ args: z.array(z.string()), variables: z.record(z.string(), z.string()) }))

process.on('message', async (message) => {
  for (const { args, variables } of lines.parse(message)) {
    process.env = variables
    process.exitCode = 0
    await main(['node', 'beacon', ...args])
    process.stdout.write(`\u001f${process.exitCode}\u001e`)
    process.stderr.write('\u001e')
  }
})
process.once('disconnect', () => process.exit())
