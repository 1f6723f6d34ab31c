import type { Argument, Command, Option } from 'commander'
import { generatedNote, tableOf } from './page.ts'

const introduction = `# Commands

Run \`npx beacon COMMAND\` in a checkout, or \`beacon COMMAND\` where the package is installed. Every command takes \`--help\`.
Answers go to standard output, with \`--json\` as data; progress and errors go to standard error. The exit status is 0 when
the command is done, 1 when it failed, and 2 when it was used wrongly. Commands work beside a running daemon and without
one, and read the same [environment](environment.md) and [configuration](configuration.md).

Ranges are half-open and in UTC: \`--from\` is included, \`--to\` is not. Dates are \`2024-03-01\`, \`2024-03-01T12:00Z\` or \`-30d\`.
Coin ids are CoinGecko's (\`bitcoin\`); markets are written as their source writes them (\`BTCUSDT\`).`

/** docs/commands.md: every command with its arguments and options, as the program itself declares them. */
export function commandsPage(program: Command): string {
  const listed = visibleCommands(program)
    .flatMap((command) => [command, ...visibleCommands(command)])
    .filter(runs)
  return [
    generatedNote,
    introduction,
    tableOf(
      ['command', 'description'],
      listed.map((command) => [`[\`${nameOf(command)}\`](#${anchorOf(command)})`, command.description()]),
    ),
    ...listed.map(sectionOf),
    '',
  ].join('\n\n')
}

const visibleCommands = (command: Command): Command[] =>
  command
    .createHelp()
    .visibleCommands(command)
    .filter((child) => child.name() !== 'help')

/** A command that only groups others does nothing by itself. */
const runs = (command: Command): boolean =>
  visibleCommands(command).length === 0 || command.options.length > 0

const nameOf = (command: Command): string =>
  command.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name()

const anchorOf = (command: Command): string => nameOf(command).replaceAll(' ', '-')

function sectionOf(command: Command): string {
  const rows = [
    ...command.registeredArguments.map(argumentRow),
    ...command.options.filter(({ hidden }) => !hidden).map(optionRow),
  ]
  return [
    `## ${nameOf(command)}`,
    command.description(),
    `\`\`\`text\n${nameOf(command)} ${command.usage()}\n\`\`\``,
    ...(rows.length === 0 ? [] : [tableOf(['argument or option', 'description'], rows)]),
    ...notesAfter(command),
  ].join('\n\n')
}

const argumentRow = (argument: Argument): string[] => [
  `\`${argument.required ? '<' : '['}${argument.name()}${argument.variadic ? '...' : ''}${argument.required ? '>' : ']'}\``,
  argument.description,
]

const optionRow = (option: Option): string[] => [
  `\`${option.flags}\``,
  [
    option.description,
    ...(option.mandatory ? ['(required)'] : []),
    ...(option.argChoices ? [`(one of ${option.argChoices.join(', ')})`] : []),
    ...(typeof option.defaultValue === 'string' ? [`(default: ${option.defaultValue})`] : []),
  ].join(' '),
]

/** What the help adds below the options. */
function notesAfter(command: Command): string[] {
  const written: string[] = []
  command.configureOutput({ writeOut: (text) => void written.push(text) }).outputHelp()
  const notes = written.join('').slice(command.helpInformation().length).trim()
  return notes === '' ? [] : [notes]
}
