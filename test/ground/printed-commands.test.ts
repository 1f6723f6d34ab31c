import { describe, expect, test } from 'vitest'
import { commandLine } from '../../src/command-line.ts'
import { filesBelow, readText } from './project.ts'

const isScript = (file: string): boolean => file.startsWith('src/cli/completion/')

/** A command with a value in it, and what begins the template it stands in. */
const withValue = /(\w*)`[^`]*?\bbeacon (?:[a-z-]+ )[^`\n]*?\$\{/g

describe('the commands that messages print', () => {
  test('have their values quoted, as commandLine does', () => {
    const files = filesBelow(['src', 'jobs'], '.ts').filter((file) => !isScript(file))
    const unquoted = files.flatMap((file) =>
      [...readText(file).matchAll(withValue)]
        .filter(([, tag]) => tag !== 'commandLine')
        .map(([text]) => `${file}: ${text}`),
    )
    expect(unquoted).toEqual([])
  })

  test('are taken by a shell as they were meant', () => {
    const names = [
      'bitcoin',
      '币安人生',
      "it's",
      'a b',
      '$(reboot)',
      '`id`',
      'binance:BTC/USDT',
      '1inch',
      '*',
    ]
    expect(names.map((name) => commandLine`beacon coins remove ${name}`)).toEqual([
      'beacon coins remove bitcoin',
      'beacon coins remove 币安人生',
      `beacon coins remove 'it'\\''s'`,
      `beacon coins remove 'a b'`,
      `beacon coins remove '$(reboot)'`,
      "beacon coins remove '`id`'",
      'beacon coins remove binance:BTC/USDT',
      'beacon coins remove 1inch',
      `beacon coins remove '*'`,
    ])
    expect(commandLine`beacon gaps ${['a b', 'c']} --timeframe ${'1h,1d'}`).toBe(
      "beacon gaps 'a b' c --timeframe 1h,1d",
    )
  })
})
