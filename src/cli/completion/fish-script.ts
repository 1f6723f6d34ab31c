import { quoted } from '../../command-line.ts'
import type { CommandWords, OptionWords, Values } from './command-words.ts'
import { flagsWithValue, pathText, steps } from './follow-words.ts'

export function fishScript(words: readonly CommandWords[]): string {
  const rules = words.flatMap((command) => {
    const at = (place = '') => {
      const condition = `__beacon_is_at ${quoted(pathText(command))}${place === '' ? '' : ` ${place}`}`
      return `complete -c beacon -n ${quoted(condition)}`
    }
    return [
      ...command.commands.map(
        ({ name, description }) => `${at('0')} -a ${quoted(name)} -d ${quoted(description)}`,
      ),
      ...command.places.flatMap(({ isVariadic, values }, index) =>
        isKnown(values) ? [`${at(isVariadic ? '' : String(index))} -k -a ${offer(values)}`] : [],
      ),
      ...command.options.map((option) => `${at()} ${optionRule(option)}`),
    ]
  })
  return `# Completes beacon in fish: beacon completion fish > ~/.config/fish/completions/beacon.fish
function __beacon_is_at
  set -l at ''
  set -l place 0
  set -l skip no
  for word in (commandline -opc)[2..]
    if test $skip = yes
      set skip no
      continue
    end
    switch "$at $word"
      case ${steps(words).join(' ')}
        set at (string trim -- "$at $word")
        set place 0
      case ${flagsWithValue(words).join(' ')}
        set skip yes
      case '* -*'
      case '*'
        set place (math $place + 1)
    end
  end
  test "$at" = "$argv[1]"
  and begin
    not set -q argv[2]
    or test $place = $argv[2]
  end
end
function __beacon_dynamic
  if not set -q __beacon_until
    or test (date +%s) -ge $__beacon_until
    if type -q beacon
      set -g __beacon_known (beacon completion words 2>/dev/null </dev/null)
    else
      set -g __beacon_known (npx --no -- beacon completion words 2>/dev/null </dev/null)
    end
    set -g __beacon_until (math (date +%s) + 60)
  end
  string replace -rf "^$argv[1] " '' -- $__beacon_known
end
function __beacon_list
  set -l before (commandline -ct | string replace -r '^--[^=]*=' '' | string replace -r '[^,]*$' '')
  printf "$before%s\\n" $argv
end
complete -c beacon -f
${rules.join('\n')}
# And after npx.
complete -c npx -n 'test (count (commandline -opc)) -gt 1; and test (commandline -opc)[2] = beacon' -f -k -a '(complete -C (commandline -cp | string replace -r "^\\s*npx\\s+" ""))'`
}

const isKnown = ({ fixed, dynamic }: Values): boolean => fixed.length > 0 || dynamic !== undefined

/** In fish syntax. */
function offer({ fixed, dynamic, isList }: Values): string {
  const words = [...fixed, ...(dynamic === undefined ? [] : [`(__beacon_dynamic ${dynamic})`])].join(' ')
  return quoted(isList ? `(__beacon_list ${words})` : words)
}

const optionRule = ({ flags, description, takesValue, values }: OptionWords): string =>
  [
    ...flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)),
    ...(takesValue ? ['-x'] : []),
    ...(isKnown(values) ? [`-k -a ${offer(values)}`] : []),
    `-d ${quoted(description)}`,
  ].join(' ')
