import { Argument, Command } from 'commander'
import type { Shell } from './completion/scripts.ts'
import { print } from './terminal/output.ts'

const shells: readonly Shell[] = ['bash', 'zsh', 'fish']

/** `whole` builds all commands, for the script. */
export const completionCommand = (whole: () => Promise<Command>): Command =>
  new Command('completion')
    .addArgument(new Argument('<shell>', 'name the shell').choices(shells))
    .addHelpText(
      'after',
      `
  bash  source <(npx beacon completion bash)                     in ~/.bashrc
  zsh   source <(npx beacon completion zsh)                      in ~/.zshrc, after compinit
  fish  npx beacon completion fish > ~/.config/fish/completions/beacon.fish

Completes \`beacon\`, and \`npx beacon\` where nothing else completes npx.`,
    )
    .action(async (shell: Shell) => {
      const { completionScript } = await import('./completion/scripts.ts')
      print(completionScript(shell, await whole()))
    })
    .addCommand(wordsCommand(), { hidden: true })

const wordsCommand = (): Command =>
  new Command('words')
    .description('Print dynamic completions: coins, timeframes, archives.')
    .action(async () => {
      const { dynamicText, readDynamicWords } = await import('./completion/dynamic-words.ts')
      print(dynamicText(await readDynamicWords(process.env)))
    })
