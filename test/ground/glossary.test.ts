import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { wholeProgram } from '../../src/cli.ts'
import { filesBelow, readText } from './project.ts'

/** Words that were replaced in everything a user reads, and what is written instead. */
const replaced: Readonly<Record<string, string>> = {
  'owed|owes': 'missing',
  'settled|unsettled|settles': 'resolved, unresolved; known, unknown; final',
  believed: 'accepted, rejected',
  'told|tell|tells': 'reported, reports, says, shows',
  leaf: 'partition',
  'ledger|ledgers': 'coverage',
  'sentence|sentences': 'message; test',
  'stretch|stretches': 'range',
  'wish|wishes': 'request',
  'patience|dawdling': 'timeout; retry policy',
  upkeep: 'maintenance',
  'mend|mends|mended|mending': 'repair',
  'lies about|lied to|manieth': 'injects a fault',
  'living words': 'dynamic completions',
  'verdict|judged': 'decision, evaluates, status',
  'lets? go of': 'deletes; archives',
  'kept aside': 'quarantined',
  'followed|follows no more': 'tracked, stops tracking',
  'whoever|nobody': 'a person, a process, no one',
  'foreign candles': 'candles of another market',
  'this should not have happened': 'internal error',
}

const pattern = new RegExp(String.raw`(?<![\w./-])(?:${Object.keys(replaced).join('|')})(?![\w-])`, 'gi')

/** Ordinary uses, by the words around them. */
const ordinary: readonly RegExp[] = [/\bleaf partition\b/, /\bredirects are not followed\b/]

const wordsIn = (text: string): string[] => {
  const rest = ordinary.reduce((left, use) => left.replaceAll(new RegExp(use, 'g'), ''), text)
  return [...rest.matchAll(pattern)].map(
    ({ 0: word, index }) => `${word}: …${rest.slice(Math.max(0, index - 40), index + 40)}…`,
  )
}

/** Prose of a page: code, and where its links lead, keep their names. */
const proseOf = (page: string): string =>
  page
    .replaceAll(/^```.*?^```/gms, '')
    .replaceAll(/`[^`]*`/g, '')
    .replaceAll(/\]\([^)]*\)/g, ']')

/** Texts of more than a word in a source file, but for SQL and comments. */
const messagesOf = (code: string): string[] => {
  const rest = code
    .replaceAll(/\/\*.*?\*\//gs, '')
    .replaceAll(/^\s*\/\/.*$/gm, '')
    .replaceAll(/^import .*$/gm, '')
    .replaceAll(/\bsql(?:<[^`]*>)?`[^`]*`/g, '')
  const literals = [...rest.matchAll(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g)]
  return literals
    .map(([literal]) => literal.replaceAll(/\$\{[^}]*\}/g, '…').replaceAll(/<[^>]*>/g, ' '))
    .filter(
      (literal) =>
        /\w \w/.test(literal) &&
        !/\b(?:select|insert|update|alter|create)\b.*\b(?:from|into|set|table|on)\b|^`\)/s.test(literal),
    )
}

const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...filesBelow(['docs'], '.md')]
const sources = filesBelow(['src', 'jobs'], '.ts')

describe('the words of the glossary', () => {
  test.each(pages)('are those of %s', (page) => {
    expect(wordsIn(proseOf(readText(page)))).toEqual([])
  })

  test('are those of every help text', async () => {
    const helps = (command: Command): string[] => [
      command.helpInformation(),
      ...command.commands.flatMap(helps),
    ]
    expect(helps(await wholeProgram()).flatMap(wordsIn)).toEqual([])
  })

  test('are those of every message', () => {
    expect(sources.length).toBeGreaterThan(300)
    const found = sources.flatMap((file) =>
      messagesOf(readText(file))
        .flatMap(wordsIn)
        .map((word) => `${file}: ${word}`),
    )
    expect(found).toEqual([])
  })
})
