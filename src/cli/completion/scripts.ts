import type { Command } from 'commander'
import { bashScript } from './bash-script.ts'
import { wordsOf } from './command-words.ts'
import { fishScript } from './fish-script.ts'
import { zshScript } from './zsh-script.ts'

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript } as const

export type Shell = keyof typeof scripts

/** Contains all static words. */
export const completionScript = (shell: Shell, program: Command): string => scripts[shell](wordsOf(program))
