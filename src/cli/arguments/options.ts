import { Argument, type Command, Option } from 'commander'
import { InvalidInput } from '../../fault.ts'
import { timeframeMeant } from '../../market/timeframe.ts'

/** Checked after unknown options are rejected. */
export class RequiredOption extends Option {
  readonly example: string

  constructor(flags: string, description: string, example: string) {
    super(flags, description)
    this.example = example
  }
}

/** Throws InvalidInput for extra arguments or missing options. */
export function refuseIncomplete(command: Command): void {
  const { args, registeredArguments } = command
  const extra = registeredArguments.some(({ variadic }) => variadic)
    ? undefined
    : args[registeredArguments.length]
  const missing = command.options.find(
    (option): option is RequiredOption =>
      option instanceof RequiredOption && command.getOptionValue(option.attributeName()) === undefined,
  )
  // A timeframe is easily mistaken for an argument.
  const timeframe = extra ?? (missing?.long === '--timeframe' ? args.find(timeframeMeant) : undefined)
  if (timeframe !== undefined && timeframeMeant(timeframe))
    throw new InvalidInput(
      `${timeframe} is a timeframe and no coin: write --timeframe ${timeframeMeant(timeframe)}`,
    )
  if (extra !== undefined)
    throw new InvalidInput(`too many arguments, from "${extra}" on. See: ${pathOf(command)} --help`)
  if (missing !== undefined)
    throw new InvalidInput(
      `${missing.long} is missing: add one, such as ${missing.long} ${missing.example}. See: ${pathOf(command)} --help`,
    )
}

const pathOf = (command: Command): string =>
  command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`

const coinForms = 'name coins by id or symbol (bitcoin, BTC)'

/** Optional coins; the command decides what none means. */
export const someCoins = (): Argument => new Argument('[coin...]', `${coinForms}; default: all`)

/** Coins, or `--all`. */
export const namedCoins = (): Argument => new Argument('[coin...]', coinForms)

export const oneCoin = (): Argument => new Argument('<coin>', coinForms.replace('coins', 'the coin'))

export const allCoins = (): Option => new Option('--all', 'select every tracked coin')

/** Throws InvalidInput without coins or `--all`. */
export function refuseNoCoins(names: readonly string[], all: boolean | undefined): void {
  if (names.length === 0 && !all)
    throw new InvalidInput('no coin is named: name one, such as bitcoin, or add --all for every tracked coin')
  refuseCoinsBesideAll(names, all)
}

export function refuseCoinsBesideAll(names: readonly string[], all: boolean | undefined): void {
  if (names.length > 0 && all) throw new InvalidInput('--all selects every tracked coin: name none beside it')
}

const timeframeForms = 'select timeframes: 1m or 1m,1h'

export const someTimeframes = (): Option =>
  new Option('--timeframe <list>', `${timeframeForms}; default: all`)

export const requiredTimeframes = (): Option =>
  new RequiredOption('--timeframe <list>', `${timeframeForms} (required)`, '1h')

export const importedTimeframe = (): Option =>
  new Option('--timeframe <name>', 'select the timeframe; default: by the file')

export const requiredTimeframe = (): Option =>
  new RequiredOption('--timeframe <name>', 'select a timeframe, such as 1h (required)', '1h')

const dateForms = '2024-03-01, 2024-03-01T12:00Z or -30d'

export const fromDate = (): Option => new Option('--from <date>', `start at ${dateForms} (UTC)`)

/** Default: everything stored. */
export const fromStoredDate = (): Option =>
  new Option('--from <date>', 'start at this date (UTC); default: first stored row')

export const requiredFromDate = (): Option =>
  new RequiredOption('--from <date>', `start at ${dateForms} (required)`, '-30d')

export const toDate = (): Option => new Option('--to <date>', 'stop before this date; default: now')

export const asJson = (): Option => new Option('--json', 'print JSON')
