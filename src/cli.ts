import { Command, CommanderError } from 'commander'
import { say } from './cli/output.ts'
import { Fault, InvalidInput } from './fault.ts'
import { withoutSecrets } from './runtime/log.ts'
import { readVersion } from './settings/version.ts'

/** Every command by its name, in the order of the help. Each is imported when it is asked for: all of them take a second. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  start: async () => (await import('./cli/start.ts')).startCommand(),
  demo: async () => (await import('./cli/demo.ts')).demoCommand(),
  replay: async () => (await import('./cli/replay.ts')).replayCommand(),
  backfill: async () => (await import('./cli/backfill.ts')).backfillCommand(),
  gaps: async () => (await import('./cli/gaps.ts')).gapsCommand(),
  coverage: async () => (await import('./cli/coverage.ts')).coverageCommand(),
  verify: async () => (await import('./cli/verify.ts')).verifyCommand(),
  certificate: async () => (await import('./cli/certificate.ts')).certificateCommand(),
  quarantine: async () => (await import('./cli/quarantine.ts')).quarantineCommand(),
  candles: async () => (await import('./cli/candles.ts')).candlesCommand(),
  prices: async () => (await import('./cli/prices.ts')).pricesCommand(),
  coins: async () => (await import('./cli/coins.ts')).coinsCommand(),
  migrate: async () => (await import('./cli/migrate.ts')).migrateCommand(),
  partitions: async () => (await import('./cli/partitions.ts')).partitionsCommand(),
  views: async () => (await import('./cli/views.ts')).viewsCommand(),
  retention: async () => (await import('./cli/retention.ts')).retentionCommand(),
  archive: async () => (await import('./cli/archive.ts')).archiveCommand(),
  keys: async () => (await import('./cli/keys.ts')).keysCommand(),
  status: async () => (await import('./cli/status.ts')).statusCommand(),
  doctor: async () => (await import('./cli/doctor.ts')).doctorCommand(),
  queues: async () => (await import('./cli/queues.ts')).queuesCommand(),
  completion: async () => (await import('./cli/completion.ts')).completionCommand(() => buildProgram([])),
}

/** Runs one command line. The exit status is 0 when done, 1 when it failed, 2 when it was used wrongly. */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    const program = await buildProgram(argv)
    await program.parseAsync(argv)
  } catch (error) {
    process.exitCode = await report(error)
  }
}

async function buildProgram([, , name = '']: readonly string[]): Promise<Command> {
  const program = new Command('beacon')
    .description('Market data of public crypto exchanges, in PostgreSQL.')
    .version(readVersion())
    .showHelpAfterError('(beacon --help, or beacon COMMAND --help, tells how it is used)')
  const asked = Object.hasOwn(commands, name) ? commands[name] : undefined
  for (const load of asked ? [asked] : Object.values(commands)) program.addCommand(await load())
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

async function report(error: unknown): Promise<number> {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof Fault) {
    say(withoutSecrets(`error: ${error.message}`))
    return error instanceof InvalidInput ? 2 : 1
  }
  // What it knows of servers is only loaded for an error.
  const { foreseenMessage } = await import('./cli/foreseen.ts')
  const foreseen = foreseenMessage(error)
  if (foreseen !== undefined) {
    say(withoutSecrets(`error: ${foreseen}`))
    return 1
  }
  const bug = error instanceof Error ? (error.stack ?? error.message) : String(error)
  say(withoutSecrets(`error: this should not have happened: ${bug}`))
  return 1
}
