import { quoted } from '../../command-line.ts'
import type { CommandWords, Values } from './command-words.ts'
import { fetchDynamic, followWords, pathText, places, valueOptions } from './follow-words.ts'

export function zshScript(words: readonly CommandWords[]): string {
  const values = valueOptions(words).map(
    (option) => `    ${quoted(`${option.at} ${option.flag}`)}) ${offer(option.values)}; return ;;`,
  )
  const menus = words.map((command) => {
    const menu = command.commands.map(({ name, description }) => described(name, description))
    const options = command.options.flatMap(({ flags, description }) =>
      flags.map((flag) => described(flag, description)),
    )
    return `    ${quoted(pathText(command))}) menu=(${menu.join(' ')}) options=(${options.join(' ')}) ;;`
  })
  const own = places(words).map((place) => `    ${place.pattern}) ${offer(place.values)} ;;`)
  return `#compdef beacon
# Completes beacon in zsh: source <(beacon completion zsh) after compinit, or put it into $fpath as _beacon.
${fetchDynamic}
_beacon_offer() {
  local kind=$1 line about
  local -a found=("\${@[2,-1]}")
  if [[ -n $kind ]]; then
    _beacon_fetch
    for line in \${(f)_beacon_known}; do
      [[ $line == "$kind "* ]] || continue
      line=\${line#* }
      about=\${line#*$'\\t'}
      line=\${line%%$'\\t'*}
      line=\${line//\\\\/\\\\\\\\}
      found+=("\${line//:/\\\\:}\${about:+:$about}")
    done
  fi
  _describe value found
}
_beacon() {
  local -a menu options${followWords(words, { list: 'words', index: 'CURRENT', first: 2, onEquals: '' })}
  if [[ \${words[CURRENT]} == --*=* ]]; then
    previous=\${words[CURRENT]%%=*}
    compset -P '*='
  fi
  case "$at $previous" in
${values.join('\n')}
  esac
  case "$at" in
${menus.join('\n')}
  esac
  if [[ \${words[CURRENT]} == -* ]]; then _describe -o option options; return; fi
  if (( $#menu && place == 0 )); then _describe command menu; return; fi
  case "$at $place" in
${own.join('\n')}
  esac
}
compdef _beacon beacon
# And after npx, where nothing else completes that.
_beacon_after_npx() {
  [[ \${words[2]} == beacon && $CURRENT -gt 2 ]] || { _default; return }
  shift words
  (( CURRENT-- ))
  _beacon
}
(( $+_comps[npx] )) || compdef _beacon_after_npx npx`
}

/** \`name:description\`; colons in descriptions are fine. */
const described = (name: string, description: string): string =>
  quoted(`${name.replaceAll(':', '\\:')}:${description}`)

function offer({ fixed, dynamic, isList }: Values): string {
  if (fixed.length === 0 && dynamic === undefined) return '_message "no words are known for this"'
  const words = [quoted(dynamic ?? ''), ...fixed.map((word) => quoted(word.replaceAll(':', '\\:')))].join(' ')
  return `${isList ? `compset -P '*,'; ` : ''}_beacon_offer ${words}`
}
