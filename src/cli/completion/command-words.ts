import type { Argument, Command, Option } from 'commander'
import { queues } from '../../../jobs/catalog.ts'
import { roles } from '../../settings/roles.ts'
import { sourceIds } from '../../settings/source-ids.ts'
import type { DynamicKind } from './dynamic-words.ts'

/** Possible values at one place. */
export type Values = Readonly<{
  fixed: readonly string[]
  /** Fetched when completing. */
  dynamic?: DynamicKind
  /** Comma-separated. */
  isList?: boolean
}>

export type OptionWords = Readonly<{
  flags: readonly string[]
  description: string
  takesValue: boolean
  values: Values
}>

/** A variadic argument takes all following places. */
type PlaceWords = Readonly<{ isVariadic: boolean; values: Values }>

export type CommandWords = Readonly<{
  path: readonly string[]
  commands: readonly Readonly<{ name: string; description: string }>[]
  options: readonly OptionWords[]
  places: readonly PlaceWords[]
}>

const nothing: Values = { fixed: [] }
const dates: Values = { fixed: ['-1d', '-7d', '-30d', '-90d', '-365d'] }
const coins: Values = { fixed: [], dynamic: 'coins' }
const timeframe: Values = { fixed: [], dynamic: 'timeframes' }
const archives: Values = { fixed: [], dynamic: 'archives' }
const quarantined: Values = { fixed: [], dynamic: 'quarantined' }

/** By argument or option name, with the command if ambiguous. */
const known: Readonly<Record<string, Values>> = {
  coin: coins,
  timeframe,
  queue: { fixed: queues },
  'archive verify id': archives,
  'archive restore id': archives,
  'quarantine show id': quarantined,
  'quarantine retry id': quarantined,
  'quarantine accept id': quarantined,
  'quarantine discard id': quarantined,
  'views refresh name': { fixed: [], dynamic: 'views' },
  'coins add coin': { fixed: [], dynamic: 'untracked' },
  '--coin': coins,
  '--timeframe': timeframe,
  '--source': { fixed: sourceIds },
  '--roles': { fixed: roles, isList: true },
  '--limits': { fixed: ['real', 'none'] },
  '--from': dates,
  '--to': { fixed: ['now', ...dates.fixed] },
  'migrate down --to': { fixed: ['0'], dynamic: 'migrations' },
}

/** All commands with what may follow. */
export function wordsOf(command: Command, above: readonly string[] = [], depth = 0): CommandWords[] {
  const path = depth === 0 ? [] : [...above, command.name()]
  const help = command.createHelp()
  const below = help.visibleCommands(command)
  const words: CommandWords = {
    path,
    commands: below.map((child) => ({
      name: child.name(),
      description: firstSentence(help.subcommandDescription(child)),
    })),
    options: help.visibleOptions(command).map((option) => optionWords(option, path)),
    places: command.registeredArguments.map((argument) => placeWords(argument, path)),
  }
  // Without the built-in `help`.
  return [
    words,
    ...command.commands
      .filter((child) => below.includes(child))
      .flatMap((child) => wordsOf(child, path, depth + 1)),
  ]
}

const optionWords = (option: Option, path: readonly string[]): OptionWords => {
  const { long, short, description, required, optional, argChoices } = option
  const values = argChoices ? { fixed: argChoices } : valuesOf(long ?? '', path)
  return {
    flags: [short, long].filter((flag) => flag !== undefined && flag !== null),
    description: firstSentence(description),
    takesValue: required || optional,
    values: /<list>/.test(option.flags) ? { ...values, isList: true } : values,
  }
}

const placeWords = (argument: Argument, path: readonly string[]): PlaceWords => ({
  isVariadic: argument.variadic,
  values: argument.argChoices ? { fixed: argument.argChoices } : valuesOf(argument.name(), path),
})

const valuesOf = (name: string, path: readonly string[]): Values =>
  known[[...path, name].join(' ')] ?? known[name] ?? nothing

/** Menus have one line. */
const firstSentence = (text: string): string => /^.*?(?=[.:;](?:\s|$)|$)/s.exec(text)?.[0] ?? text
