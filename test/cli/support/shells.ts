import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { findProgram } from '../../support/redis.ts'
import type { Variables } from './beacon.ts'

export const shellNames = ['bash', 'zsh', 'fish'] as const
export type ShellName = (typeof shellNames)[number]

export type Shell = Readonly<{ name: ShellName; program: string | undefined }>

/** The shells that completion is for, each with its program where there is one. */
export async function findShells(): Promise<Shell[]> {
  const shells = await Promise.all(
    shellNames.map(async (name) => ({ name, program: await findProgram(name) })),
  )
  for (const { name, program } of shells) {
    if (program === undefined)
      process.stderr.write(`no ${name} was found: the tests of its completion are left out\n`)
  }
  return shells
}

const beacon = fileURLToPath(new URL('../../../dist/beacon.js', import.meta.url))

type Asking = Readonly<{
  folder: string
  variables: Variables
  /** What `beacon completion` has printed. */
  script: string
  /** As typed up to the cursor: a space at the end begins a new word. */
  lines: readonly string[]
}>

/** What a real shell offers after each line, in the order it does. `beacon` is on its path, as a link to it would be. */
export async function offeredBy(
  { name, program = name }: Shell,
  { folder, variables, script, lines }: Asking,
): Promise<string[][]> {
  await writeFile(join(folder, 'beacon'), `#!/bin/sh\nexec "${process.execPath}" "${beacon}" "$@"\n`)
  await chmod(join(folder, 'beacon'), 0o755)
  await writeFile(join(folder, `completion.${name}`), `${script}\n`)
  await writeFile(join(folder, `drive.${name}`), drivers[name])
  const shell = spawn(program, [...withoutOwnFiles[name], join(folder, `drive.${name}`), ...lines], {
    env: { PATH: `${folder}:${process.env.PATH}`, HOME: folder, TERM: 'dumb', FOLDER: folder, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [answer, complaint, [code]] = await Promise.all([
    text(shell.stdout),
    text(shell.stderr),
    once(shell, 'close'),
  ])
  if (code !== 0 || complaint !== '') throw new Error(`${name} ended with ${code}: ${complaint}${answer}`)
  return answer
    .replaceAll('\r', '')
    .split('\f')
    .slice(0, lines.length)
    .map((one) => one.split('\n').flatMap((line) => line.split('\t')[0] || []))
}

const withoutOwnFiles: Readonly<Record<ShellName, readonly string[]>> = {
  bash: ['--norc', '--noprofile'],
  zsh: ['-f'],
  fish: ['--no-config'],
}

/** Each prints what is offered for each of its arguments, a form feed after each. */
const drivers: Readonly<Record<ShellName, string>> = {
  // What readline does before it calls the function: it cuts the line into words, and at every = too.
  bash: `set -u
source "$FOLDER/completion.bash"
for line in "$@"; do
  read -ra COMP_WORDS <<< "\${line//=/ = }"
  [[ $line == *[\\ =] ]] && COMP_WORDS+=('')
  COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
  rule=$(complete -p "\${COMP_WORDS[0]}") || exit
  function=\${rule##*-F }
  "\${function%% *}"
  printf '%s\\n' "\${COMPREPLY[@]+"\${COMPREPLY[@]}"}"
  printf '\\f'
done`,
  // An interactive shell on a terminal of its own, in which the key is pressed; it prints its matches.
  zsh: `zmodload zsh/zpty
cat > "$FOLDER/inside.zsh" <<'INSIDE'
PROMPT=
autoload -Uz compinit && compinit -u -d "$FOLDER/dump"
source "$FOLDER/completion.zsh"
bindkey '^I' complete-word
# Zsh forgets these each time.
again() { compprefuncs=(begin) comppostfuncs=(finish) }
begin() { print -r -- $'\\x02' }
finish() { again; print -r -- $'\\x03' }
again
zstyle ':completion:*' insert-tab false
compadd() {
  if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
  local -a found
  builtin compadd -A found "$@"
  (( $#found )) && print -rl -- "$IPREFIX"\${^found}
  return 0
}
print ready
INSIDE
zpty shell zsh -f -i
zpty -w shell 'source "$FOLDER/inside.zsh"'
zpty -r shell answer '*ready'
for line; do
  zpty -n -w shell $'\\x15'"$line"$'\\t'
  zpty -r shell answer $'*\\x02*\\x03'
  answer=\${answer##*$'\\x02'}
  print -rn -- "\${answer%$'\\x03'}"$'\\f'
done`,
  fish: `source $FOLDER/completion.fish
for line in $argv
  complete -C $line
  printf '\\f'
end`,
}
