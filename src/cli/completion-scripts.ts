/** What may stand in one place of a command line. */
export type OptionWords = Readonly<{
  /** `-V` and `--version`. */
  flags: readonly string[]
  description: string
  takesValue: boolean
  /** Its values, where they are few and known. */
  choices: readonly string[]
}>

/** A command by the words that lead to it; the program itself has none. */
export type CommandWords = Readonly<{
  path: readonly string[]
  commands: readonly Readonly<{ name: string; description: string }>[]
  options: readonly OptionWords[]
  /** Of its arguments. */
  choices: readonly string[]
}>

/** One script for each shell. It holds every word, so that completing runs nothing. */
export const completionScripts = { bash: bashScript, zsh: zshScript, fish: fishScript } as const

export type Shell = keyof typeof completionScripts

const pathText = ({ path }: CommandWords): string => path.join(' ')
const flagsOf = ({ options }: CommandWords): string[] => options.flatMap(({ flags }) => flags)
const namesOf = ({ commands }: CommandWords): string[] => commands.map(({ name }) => name)

/** `'it'\''s'`: nothing in it means anything to a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** A word that leads on to a command, after the words before it: ` archive`, `archive list`. */
const steps = (words: readonly CommandWords[]): string[] =>
  words
    .filter(({ path }) => path.length > 0)
    .map(({ path }) => quoted(`${path.slice(0, -1).join(' ')} ${path.at(-1)}`))

type ValueOption = Readonly<{ at: string; flags: readonly string[]; choices: readonly string[] }>

const valueOptions = (words: readonly CommandWords[]): ValueOption[] =>
  words.flatMap((command) =>
    command.options
      .filter(({ takesValue }) => takesValue)
      .map(({ flags, choices }) => ({ at: pathText(command), flags, choices })),
  )

/** What both shells do: follow the words to the command they lead to, and find the option whose value is asked for. */
const followWords = (words: readonly CommandWords[], list: string, index: string, first: number): string => `
  local at='' word previous="\${${list}[${index} - 1]}" i
  for ((i = ${first}; i < ${index}; i++)); do
    word="\${${list}[i]}"
    case "$at $word" in
      ${steps(words).join(' | ')}) at="\${at:+$at }$word" ;;
    esac
  done`

function bashScript(words: readonly CommandWords[]): string {
  const values = valueOptions(words).flatMap(({ at, flags, choices }) =>
    flags.map((flag) => `    ${quoted(`${at} ${flag}`)}) words=${quoted(choices.join(' '))} ;;`),
  )
  const places = words.map(
    (command) =>
      `    ${quoted(pathText(command))}) words=${quoted([...namesOf(command), ...command.choices].join(' '))} options=${quoted(flagsOf(command).join(' '))} ;;`,
  )
  return `# Completes beacon in bash: source it, or put it where bash-completion looks.
_beacon() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words='' options=''${followWords(words, 'COMP_WORDS', 'COMP_CWORD', 1)}
  COMPREPLY=()
  case "$at $previous" in
${values.join('\n')}
    *)
  case "$at" in
${places.join('\n')}
  esac ;;
  esac
  [[ $current == -* ]] && words=$options
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _beacon beacon`
}

/** \`name:what it does\`; a colon in what it does needs no mark. */
const described = (name: string, description: string): string =>
  quoted(`${name.replaceAll(':', '\\:')}:${description}`)

function zshScript(words: readonly CommandWords[]): string {
  const values = valueOptions(words).flatMap(({ at, flags, choices }) =>
    flags.map((flag) => `    ${quoted(`${at} ${flag}`)}) ${zshValues(choices)}; return ;;`),
  )
  const places = words.map((command) => {
    const menu = [
      ...command.commands.map(({ name, description }) => described(name, description)),
      ...command.choices.map(quoted),
    ]
    const options = command.options.flatMap(({ flags, description }) =>
      flags.map((flag) => described(flag, description)),
    )
    return `    ${quoted(pathText(command))}) menu=(${menu.join(' ')}) options=(${options.join(' ')}) ;;`
  })
  return `#compdef beacon
# Completes beacon in zsh: source it after compinit, or put it into $fpath as _beacon.
_beacon() {
  local -a menu options${followWords(words, 'words', 'CURRENT', 2)}
  case "$at $previous" in
${values.join('\n')}
  esac
  case "$at" in
${places.join('\n')}
  esac
  if [[ \${words[CURRENT]} == -* ]]; then _describe -o option options
  elif (( $#menu )); then _describe command menu
  else _files
  fi
}
compdef _beacon beacon`
}

const zshValues = (choices: readonly string[]): string =>
  choices.length === 0 ? '_files' : `compadd -- ${choices.map(quoted).join(' ')}`

function fishScript(words: readonly CommandWords[]): string {
  const rules = words.flatMap((command) => {
    const at = `complete -c beacon -n ${quoted(`__beacon_is_at ${quoted(pathText(command))}`)}`
    return [
      ...command.commands.map(
        ({ name, description }) => `${at} -f -a ${quoted(name)} -d ${quoted(description)}`,
      ),
      ...command.choices.map((choice) => `${at} -f -a ${quoted(choice)}`),
      ...command.options.map((option) => `${at} ${fishOption(option)}`),
    ]
  })
  return `# Completes beacon in fish: beacon completion fish > ~/.config/fish/completions/beacon.fish
function __beacon_is_at
  set -l at ''
  for word in (commandline -opc)[2..]
    switch "$at $word"
      case ${steps(words).join(' ')}
        set at (string trim -- "$at $word")
    end
  end
  test "$at" = "$argv[1]"
end
${rules.join('\n')}`
}

const fishOption = ({ flags, description, takesValue, choices }: OptionWords): string =>
  [
    ...flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)),
    ...(takesValue ? ['-r'] : []),
    ...(choices.length > 0 ? [`-f -a ${quoted(choices.join(' '))}`] : []),
    `-d ${quoted(description)}`,
  ].join(' ')
