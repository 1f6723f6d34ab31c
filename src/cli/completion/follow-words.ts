import { quoted } from '../../command-line.ts'
import type { CommandWords, Values } from './command-words.ts'

export const pathText = ({ path }: CommandWords): string => path.join(' ')
export const flagsOf = ({ options }: CommandWords): string[] => options.flatMap(({ flags }) => flags)

/** ` archive`, `archive list`. */
export const steps = (words: readonly CommandWords[]): string[] =>
  words
    .filter(({ path }) => path.length > 0)
    .map(({ path }) => quoted(`${path.slice(0, -1).join(' ')} ${path.at(-1)}`))

type ValueOption = Readonly<{ at: string; flag: string; values: Values }>

/** Flags with values, per command. */
export const valueOptions = (words: readonly CommandWords[]): ValueOption[] =>
  words.flatMap((command) =>
    command.options
      .filter(({ takesValue }) => takesValue)
      .flatMap(({ flags, values }) => flags.map((flag) => ({ at: pathText(command), flag, values }))),
  )

export const flagsWithValue = (words: readonly CommandWords[]): string[] =>
  valueOptions(words).map(({ at, flag }) => quoted(`${at} ${flag}`))

type Place = Readonly<{ pattern: string; values: Values }>

/** Patterns by command and position: `'candles 1'`, `'backfill '*`. */
export const places = (words: readonly CommandWords[]): Place[] =>
  words.flatMap((command) =>
    command.places.map(({ isVariadic, values }, index) => ({
      pattern: isVariadic ? `${quoted(`${pathText(command)} `)}*` : quoted(`${pathText(command)} ${index}`),
      values,
    })),
  )

type Loop = Readonly<{ list: string; index: string; first: number; onEquals: string }>

/**
 * For bash and zsh: finds the command (\`at\`) and counts arguments (\`place\`). \`onEquals\`: after a flag that awaits
 * a value.
 */
export const followWords = (
  words: readonly CommandWords[],
  { list, index, first, onEquals }: Loop,
): string => `
  local at='' word place=0 previous="\${${list}[${index} - 1]}" i
  for ((i = ${first}; i < ${index}; i++)); do
    word="\${${list}[i]}"
    case "$at $word" in
      ${steps(words).join(' | ')}) at="\${at:+$at }$word" place=0 ;;
      ${flagsWithValue(words).join(' | ')}) ${onEquals}((++i)) ;;
      *) [[ $word == -* ]] || ((++place)) ;;
    esac
  done`

/** Refreshes \`_beacon_known\` after a minute, in bash and zsh. */
export const fetchDynamic = `_beacon_fetch() {
  (( \${_beacon_until:-0} > SECONDS )) && return
  if type beacon >/dev/null 2>&1
  then _beacon_known=$(beacon completion words 2>/dev/null </dev/null)
  else _beacon_known=$(npx --no -- beacon completion words 2>/dev/null </dev/null)
  fi
  _beacon_until=$((SECONDS + 60))
}`
