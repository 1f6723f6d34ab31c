import { Command, CommanderError } from 'commander'
import { backfillCommand } from './cli/backfill.ts'
import { candlesCommand } from './cli/candles.ts'
import { coinsCommand } from './cli/coins.ts'
import { coverageCommand } from './cli/coverage.ts'
import { demoCommand } from './cli/demo.ts'
import { gapsCommand } from './cli/gaps.ts'
import { keysCommand } from './cli/keys.ts'
import { migrateCommand } from './cli/migrate.ts'
import { say } from './cli/output.ts'
import { partitionsCommand } from './cli/partitions.ts'
import { pricesCommand } from './cli/prices.ts'
import { queuesCommand } from './cli/queues.ts'
import { replayCommand } from './cli/replay.ts'
import { startCommand } from './cli/start.ts'
import { statusCommand } from './cli/status.ts'
import { viewsCommand } from './cli/views.ts'
import { Fault, InvalidInput } from './fault.ts'
import { readVersion } from './settings/version.ts'

const commands = [
  startCommand,
  demoCommand,
  replayCommand,
  backfillCommand,
  gapsCommand,
  coverageCommand,
  candlesCommand,
  pricesCommand,
  coinsCommand,
  migrateCommand,
  partitionsCommand,
  viewsCommand,
  keysCommand,
  statusCommand,
  queuesCommand,
]

/** Runs one command line. The exit status is 0 when done, 1 when it failed, 2 when it was used wrongly. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = buildProgram()
  try {
    await program.parseAsync(argv)
  } catch (error) {
    process.exitCode = report(error)
  }
}

function buildProgram(): Command {
  const program = new Command('beacon')
    .description('Market data of public crypto exchanges, in PostgreSQL.')
    .version(readVersion())
    .showHelpAfterError('(beacon --help, or beacon COMMAND --help, tells how it is used)')
  for (const build of commands) program.addCommand(build())
  throwInsteadOfExit(program)
  return program
}

/** Commander would end the process itself, before anything was closed. */
function throwInsteadOfExit(command: Command): void {
  command.exitOverride()
  for (const child of command.commands) {
    child.copyInheritedSettings(command)
    throwInsteadOfExit(child)
  }
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof Fault) {
    say(`error: ${error.message}`)
    return error instanceof InvalidInput ? 2 : 1
  }
  say(
    `error: this should not have happened: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  )
  return 1
}
