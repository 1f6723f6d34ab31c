import { quoted } from '../../command-line.ts'
import type { CommandWords, Values } from './command-words.ts'
import { fetchDynamic, flagsOf, followWords, pathText, places, valueOptions } from './follow-words.ts'

export function bashScript(words: readonly CommandWords[]): string {
  const values = valueOptions(words).map(
    (option) => `    ${quoted(`${option.at} ${option.flag}`)}) ${offer(option.values)} ;;`,
  )
  const menus = words.map(
    (command) =>
      `      ${quoted(pathText(command))}) words=${quoted(command.commands.map(({ name }) => name).join(' '))} options=${quoted(flagsOf(command).join(' '))} ;;`,
  )
  const own = places(words).map((place) => `        ${place.pattern}) ${offer(place.values)} ;;`)
  // Bash splits \`--option=value\` into three words.
  const skipEquals = `[[ \${COMP_WORDS[i + 1]-} == = ]] && ((++i)); `
  return `# Completes beacon in bash: source <(beacon completion bash)
${fetchDynamic}
_beacon_dynamic() {
  local kind rest
  _beacon_fetch
  while read -r kind rest; do
    [[ $kind == "$1" ]] && dynamic+=("\${rest%%$'\\t'*}")
  done <<< "$_beacon_known"
}
_beacon() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words='' options='' list='' written
  local -a dynamic=()${followWords(words, { list: 'COMP_WORDS', index: 'COMP_CWORD', first: 1, onEquals: skipEquals })}
  [[ $previous == = ]] && previous="\${COMP_WORDS[COMP_CWORD - 2]}"
  [[ $current == = ]] && current=''
  COMPREPLY=()
  case "$at $previous" in
${values.join('\n')}
    *)
      case "$at" in
${menus.join('\n')}
      esac
      if [[ $current == -* ]]; then words=$options
      elif [[ -z $words || $place -gt 0 ]]; then
        words='' dynamic=()
        case "$at $place" in
${own.join('\n')}
        esac
      fi ;;
  esac
  [[ $list ]] && list="\${current%"\${current##*,}"}"
  current="\${current#"$list"}"
  # Not by compgen -W, which would carry out what a name happens to say.
  for word in $words \${dynamic[@]+"\${dynamic[@]}"}; do
    printf -v written %q "$word"
    [[ $word == "$current"* || $written == "$current"* ]] && COMPREPLY+=("$list$written")
  done
}
complete -F _beacon beacon
# And after npx, where nothing else completes that.
_beacon_after_npx() {
  COMPREPLY=()
  [[ \${COMP_WORDS[1]-} == beacon && $COMP_CWORD -gt 1 ]] || return
  local -a line=("\${COMP_WORDS[@]:1}")
  local -a COMP_WORDS=("\${line[@]}")
  local COMP_CWORD=$((COMP_CWORD - 1))
  _beacon
}
complete -p npx >/dev/null 2>&1 || complete -o default -F _beacon_after_npx npx`
}

function offer({ fixed, dynamic, isList }: Values): string {
  return [
    ...(fixed.length > 0 ? [`words=${quoted(fixed.join(' '))}`] : ["words=''"]),
    ...(isList ? ['list=yes'] : []),
    ...(dynamic === undefined ? [] : [`_beacon_dynamic ${dynamic}`]),
  ].join('; ')
}
