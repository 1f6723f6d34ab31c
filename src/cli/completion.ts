import { Argument, Command, type Option } from 'commander'
import { timeframes } from '../market/timeframe.ts'
import { sourceIds } from '../settings/source-ids.ts'
import { type CommandWords, completionScripts, type OptionWords, type Shell } from './completion-scripts.ts'
import { print } from './output.ts'

const shells = Object.keys(completionScripts) as Shell[]

/** `whole` builds the program with every command: the script is made from the commands as they are. */
export const completionCommand = (whole: () => Promise<Command>): Command =>
  new Command('completion')
    .description('Print what lets a shell complete commands and options: source <(beacon completion bash)')
    .addArgument(new Argument('<shell>', 'the shell that will read it').choices(shells))
    .action(async (shell: Shell) => print(completionScripts[shell](wordsOf(await whole()))))

/** The program and every command below it, each with what may follow it. */
function wordsOf(command: Command, above: readonly string[] = [], depth = 0): CommandWords[] {
  const path = depth === 0 ? [] : [...above, command.name()]
  const help = command.createHelp()
  const below = help.visibleCommands(command)
  const words: CommandWords = {
    path,
    commands: below.map((child) => ({
      name: child.name(),
      description: firstSentence(help.subcommandDescription(child)),
    })),
    options: help.visibleOptions(command).map(optionWords),
    choices: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
  }
  // The built-in `help` completes nothing that the commands do not.
  return [words, ...command.commands.flatMap((child) => wordsOf(child, path, depth + 1))]
}

const optionWords = ({ long, short, description, required, optional, argChoices }: Option): OptionWords => ({
  flags: [short, long].filter((flag) => flag !== undefined && flag !== null),
  description: firstSentence(description),
  takesValue: required || optional,
  choices: argChoices ?? usualValues[long ?? ''] ?? [],
})

/** Of options that mean the same wherever they stand, and check their values themselves. */
const usualValues: Readonly<Record<string, readonly string[]>> = {
  '--timeframe': timeframes,
  '--source': sourceIds,
}

/** A menu has one line for it. */
const firstSentence = (text: string): string => /^.*?(?=[.:;](?:\s|$)|$)/s.exec(text)?.[0] ?? text
