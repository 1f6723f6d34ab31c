import { Command, CommanderError, Help } from 'commander'
import { refuseIncomplete } from './cli/arguments/options.ts'
import { say } from './cli/terminal/output.ts'
import { Fault, InvalidInput } from './fault.ts'
import { withoutSecrets } from './runtime/redaction.ts'
import { projectVariables } from './settings/project-folder.ts'
import { readVersion } from './settings/version.ts'

type Listed = Readonly<{ description: string; load(): Promise<() => Command> }>

const commands: Readonly<Record<string, Listed>> = {
  init: {
    description: 'Create beacon.yaml and .env in this folder.',
    load: async () => (await import('./cli/setup/init.ts')).initCommand,
  },
  start: {
    description: 'Run the daemon: schedule, workers and web.',
    load: async () => (await import('./cli/start.ts')).startCommand,
  },
  demo: {
    description: 'Run the daemon against the replay exchange; needs no network.',
    load: async () => (await import('./cli/demo.ts')).demoCommand,
  },
  replay: {
    description: 'Serve recorded candles through the APIs of the exchanges.',
    load: async () => (await import('./cli/replay.ts')).replayCommand,
  },
  backfill: {
    description: 'Load missing history; run it again to resume.',
    load: async () => (await import('./cli/backfill.ts')).backfillCommand,
  },
  gaps: {
    description: 'List missing candles and why they are missing.',
    load: async () => (await import('./cli/gaps.ts')).gapsCommand,
  },
  coverage: {
    description: 'Show from when to when each series is complete.',
    load: async () => (await import('./cli/coverage.ts')).coverageCommand,
  },
  verify: {
    description: 'Compare candles with their source; exit 1 if they differ.',
    load: async () => (await import('./cli/verify.ts')).verifyCommand,
  },
  certificate: {
    description: 'Show coverage, gaps and a checksum to compare copies.',
    load: async () => (await import('./cli/certificate.ts')).certificateCommand,
  },
  quarantine: {
    description: 'List, retry or discard rejected rows.',
    load: async () => (await import('./cli/quarantine.ts')).quarantineCommand,
  },
  candles: {
    description: 'Show the newest stored candles of a coin, or their revisions.',
    load: async () => (await import('./cli/candles.ts')).candlesCommand,
  },
  prices: {
    description: 'Show the newest stored price of each coin, in USD.',
    load: async () => (await import('./cli/prices.ts')).pricesCommand,
  },
  export: {
    description: 'Write candles or prices to files that other programs read.',
    load: async () => (await import('./cli/files/export.ts')).exportCommand,
  },
  import: {
    description: 'Load candles from files; run it again to resume.',
    load: async () => (await import('./cli/files/import.ts')).importCommand,
  },
  coins: {
    description: 'List, add, remove and check tracked coins.',
    load: async () => (await import('./cli/coins.ts')).coinsCommand,
  },
  sql: {
    description: 'Open psql on the database, or run one statement.',
    load: async () => (await import('./cli/setup/sql.ts')).sqlCommand,
  },
  url: {
    description: 'Print the URL of the database.',
    load: async () => (await import('./cli/setup/url.ts')).urlCommand,
  },
  migrate: {
    description: 'Apply, undo or check schema migrations.',
    load: async () => (await import('./cli/migrate.ts')).migrateCommand,
  },
  partitions: {
    description: 'List partitions, or create those ahead.',
    load: async () => (await import('./cli/partitions.ts')).partitionsCommand,
  },
  views: {
    description: 'Refresh the summaries, or list their refreshes.',
    load: async () => (await import('./cli/views.ts')).viewsCommand,
  },
  retention: {
    description: 'Apply retention now; archives and roll-ups are verified first.',
    load: async () => (await import('./cli/retention.ts')).retentionCommand,
  },
  archive: {
    description: 'List, verify, restore or query archived data.',
    load: async () => (await import('./cli/archive.ts')).archiveCommand,
  },
  keys: {
    description: 'Generate an encryption key, or rotate keys.',
    load: async () => (await import('./cli/keys.ts')).keysCommand,
  },
  status: {
    description: 'Show alerts, freshness and recent runs.',
    load: async () => (await import('./cli/status.ts')).statusCommand,
  },
  doctor: {
    description: 'Check everything; print how to repair what is wrong and exit 1.',
    load: async () => (await import('./cli/doctor.ts')).doctorCommand,
  },
  queues: {
    description: 'Show, pause or resume the queues.',
    load: async () => (await import('./cli/queues.ts')).queuesCommand,
  },
  completion: {
    description: 'Print a completion script for a shell.',
    load: async () => {
      const { completionCommand } = await import('./cli/completion.ts')
      return () => completionCommand(wholeProgram)
    },
  },
}

/** Exit status: 0 done, 1 failed, 2 usage error. */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    Object.assign(process.env, projectVariables(process.env, process.cwd()))
    // The second word for `beacon help COMMAND`.
    const program = await buildProgram(argv.slice(2, 4))
    await program.parseAsync(argv)
  } catch (error) {
    process.exitCode = await report(error)
  }
}

export const wholeProgram = (): Promise<Command> => buildProgram(Object.keys(commands))

async function buildProgram(wholeCommands: readonly string[]): Promise<Command> {
  const program = new Command('beacon')
    .description('Load market data of public crypto exchanges into PostgreSQL.')
    .version(readVersion())
    .configureHelp({
      subcommandTerm: (command) => command.name(),
      // Descriptions name the choices.
      optionDescription: (option) =>
        option.argChoices ? option.description : new Help().optionDescription(option),
    })
    .showHelpAfterError('(see beacon --help, or beacon COMMAND --help)')
  for (const [name, { description, load }] of Object.entries(commands)) {
    const command = wholeCommands.includes(name) ? (await load())() : new Command(name)
    program.addCommand(command.description(description))
  }
  program.hook('preAction', (_program, command) => refuseIncomplete(command))
  throwInsteadOfExit(program)
  return program
}

/** Commander would exit before resources are closed. */
function throwInsteadOfExit(command: Command): void {
  command.exitOverride()
  for (const child of command.commands) {
    child.copyInheritedSettings(command)
    // `refuseIncomplete` rejects them with better hints.
    child.allowExcessArguments()
    throwInsteadOfExit(child)
  }
}

async function report(error: unknown): Promise<number> {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof Fault) {
    say(withoutSecrets(`error: ${error.message}`))
    return error instanceof InvalidInput ? 2 : 1
  }
  // Loaded only for errors.
  const { foreseenMessage } = await import('./cli/series/foreseen.ts')
  const foreseen = foreseenMessage(error)
  if (foreseen !== undefined) {
    say(withoutSecrets(`error: ${foreseen}`))
    return 1
  }
  const bug = error instanceof Error ? (error.stack ?? error.message) : String(error)
  say(withoutSecrets(`internal error (please report it): ${bug}`))
  return 1
}
