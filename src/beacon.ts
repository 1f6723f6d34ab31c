#!/usr/bin/env node
import { tooSmallLimit } from './cli/session/process-limits.ts'
import { say } from './cli/terminal/output.ts'

const tooSmall = tooSmallLimit()
if (tooSmall === undefined) {
  process.setSourceMapsEnabled(true)
  // Opens more files at once than a small limit allows.
  const { main } = await import('./cli.ts')
  await main(process.argv)
} else {
  say(`error: ${tooSmall}`)
  process.exitCode = 1
}
