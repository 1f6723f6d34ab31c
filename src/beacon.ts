#!/usr/bin/env node
import { say } from './cli/output.ts'
import { tooSmallLimit } from './cli/process-limits.ts'

const tooSmall = tooSmallLimit()
if (tooSmall === undefined) {
  process.setSourceMapsEnabled(true)
  // Loading it opens more files at once than a small limit allows.
  const { main } = await import('./cli.ts')
  await main(process.argv)
} else {
  say(`error: ${tooSmall}`)
  process.exitCode = 1
}
