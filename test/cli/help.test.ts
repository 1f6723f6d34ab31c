import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { wholeProgram } from '../../src/cli.ts'

const withSubcommands = (command: Command): Command[] => [
  command,
  ...command.commands.flatMap(withSubcommands),
]
const commands = withSubcommands(await wholeProgram())

const pathOf = (command: Command): string =>
  command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`

/** The help as a terminal of 80 columns shows it. */
function helpOf(command: Command): string[] {
  const help = command.createHelp()
  help.prepareContext({ helpWidth: 80 })
  return help.formatHelp(command, help).split('\n')
}

/** What the help lists, each with its description: commands, arguments and options. */
const describedBy = (command: Command): (readonly [name: string, description: string])[] => {
  const help = command.createHelp()
  return [
    [pathOf(command), command.description()],
    ...help
      .visibleArguments(command)
      .map((argument) => [`${pathOf(command)} ${argument.name()}`, argument.description] as const),
    ...help
      .visibleOptions(command)
      .map((option) => [`${pathOf(command)} ${option.flags}`, option.description] as const),
  ]
}

const verbs = new Set(
  `accept add adopt allow apply check choose compare correct create delete describe discard display draw encrypt enforce export
  fetch forget generate give import inject leave list load look move name open output overwrite pause print query read rebuild
  record refresh remove rename replace request resolve restore resume run save select serve set show start stop store track
  undo use verify write`.split(/\s+/),
)

test('every option, argument and command has one line in a terminal of 80 columns', () => {
  expect(commands.length).toBeGreaterThan(40)
  const broken = commands.flatMap((command) =>
    helpOf(command)
      // What continues an entry is indented as far as the descriptions are.
      .filter((line) => line.length > 80 || /^ {4,}\S/.test(line))
      .map((line) => `${pathOf(command)}: ${line}`),
  )
  expect(broken).toEqual([])
})

test('every description begins with a verb', () => {
  const others = commands
    .flatMap(describedBy)
    .filter(([, description]) => !verbs.has(/^\w+/.exec(description)?.[0].toLowerCase() ?? ''))
  expect(others).toEqual([])
})

test('an argument or option has the same name and the same place in every command', () => {
  const positional = commands.flatMap((command) =>
    command.registeredArguments.map((argument, place) => [pathOf(command), argument.name(), place] as const),
  )
  expect(positional.filter(([, name]) => name === 'timeframe')).toEqual([])
  expect(positional.filter(([, name, place]) => name === 'coin' && place !== 0)).toEqual([])
  const flags = commands.flatMap((command) => command.options.map(({ flags: text }) => text))
  const ofTimeframe = new Set(flags.filter((text) => text.includes('--timeframe')))
  expect([...ofTimeframe].toSorted()).toEqual(['--timeframe <list>', '--timeframe <name>'])
})
