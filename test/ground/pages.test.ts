import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Command, CommanderError } from 'commander'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { wholeProgram } from '../../src/cli.ts'
import { InvalidInput } from '../../src/fault.ts'
import { anchorsOf, blocksOf, linksOf, spansOf } from './markdown.ts'
import { filesBelow, projectDir, readText } from './project.ts'

const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...filesBelow(['docs'], '.md')]

const program = silenced(await wholeProgram())

/** The program with commands that do nothing: what is left is the check of arguments and options. */
function silenced(command: Command): Command {
  command.configureOutput({ writeOut: () => {}, writeErr: () => {} })
  if (command.parent) command.action(() => {})
  for (const child of command.commands) silenced(child)
  return command
}

/** What the program has against a command line; undefined when it takes it. */
async function objectionTo(words: readonly string[]): Promise<string | undefined> {
  try {
    await program.parseAsync(['node', 'beacon', ...words])
    return undefined
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? undefined : error.message
    if (error instanceof InvalidInput) return error.message
    throw error
  }
}

/** Words as a shell splits them. What comes after them (a comment, a pipe) is left out. */
function shellWords(text: string): string[] {
  const [line = ''] = /^(?:"[^"]*"|'[^']*'|[^"'#|>&;])*/.exec(text) ?? []
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, one, other, bare]) => one ?? other ?? bare ?? '',
  )
}

/** The command lines that a reader may paste: `npx beacon …`, without a placeholder. */
const pastedLines = (page: string): string[] =>
  [...blocksOf(page).flatMap(({ text }) => text.split('\n')), ...spansOf(page)].flatMap((line) => {
    const [, words] = /\bnpx beacon ([a-z].*)/.exec(line) ?? []
    return words === undefined || /…|\b[A-Z]{2,}\b/.test(words.replaceAll(/"[^"]*"/g, '')) ? [] : [words]
  })

/** Commands that are only mentioned, perhaps without their arguments: `beacon gaps --repair`. */
const mentions = (page: string): string[] =>
  spansOf(page).flatMap((span) => /^beacon ([a-z][^|]*)$/.exec(span)?.[1] ?? [])

/** The first word of a mention that the program does not know: a command, or an option of its command. */
function unknownWord(mention: string): string | undefined {
  let command = program
  for (const word of shellWords(mention)) {
    const child = command.commands.find((one) => one.name() === word)
    if (child) command = child
    else if (command.commands.length > 0 && /^[a-z]+$/.test(word) && command.registeredArguments.length === 0)
      return word
    else if (word.startsWith('--') && !command.options.some(({ long }) => long === word)) return word
  }
  return undefined
}

describe('a wrong command line is noticed', () => {
  test.each([
    ['backfill bitcoin --timeframe 1h', '--from is missing'],
    ['coverage --frob', "unknown option '--frob'"],
    ['retention now', 'too many arguments'],
  ])('%s', async (line, objection) => {
    expect(await objectionTo(shellWords(line))).toContain(objection)
  })

  test.each([
    ['gaps --frob', '--frob'],
    ['frobnicate', 'frobnicate'],
    ['coins frobnicate', 'frobnicate'],
  ])('beacon %s', (mention, word) => {
    expect(unknownWord(mention)).toBe(word)
  })

  test('words are split as a shell splits them', () => {
    expect(shellWords(`archive query "select '#'" # all of it`)).toEqual(['archive', 'query', "select '#'"])
  })
})

describe.each(pages)('%s', (page) => {
  const text = readText(page)

  test('shows only command lines that the program takes', async () => {
    const wrong: string[] = []
    for (const line of pastedLines(text)) {
      const objection = await objectionTo(shellWords(line))
      if (objection !== undefined) wrong.push(`beacon ${line}: ${objection}`)
    }
    expect(wrong).toEqual([])
  })

  test('mentions only commands and options that there are', () => {
    expect(mentions(text).filter((mention) => unknownWord(mention) !== undefined)).toEqual([])
  })

  test('links only to pages, files and headings that there are', () => {
    const broken = linksOf(text).filter((link) => {
      const [target = '', anchor] = link.split('#')
      const path = target === '' ? page : join(dirname(page), target)
      if (!existsSync(join(projectDir, path))) return true
      return anchor !== undefined && path.endsWith('.md') && !anchorsOf(readText(path)).has(anchor)
    })
    expect(broken).toEqual([])
  })

  test('names only files of ours that there are', () => {
    const paths = spansOf(text).filter((span) =>
      /^(?:src|jobs|config|drizzle|docs|test|\.github|\.ci)\/[\w./-]*$/.test(span),
    )
    expect(paths.filter((path) => !existsSync(join(projectDir, path)))).toEqual([])
  })
})

test('the pages run only scripts that the package has', () => {
  const { scripts } = z
    .object({ scripts: z.record(z.string(), z.string()) })
    .parse(JSON.parse(readText('package.json')))
  const run = pages.flatMap((page) =>
    [...readText(page).matchAll(/\bnpm (?:run (?:--silent )?([\w:-]+)|(start|test))\b/g)].map(
      ([, name, short]) => name ?? short,
    ),
  )
  expect(run.length).toBeGreaterThan(0)
  expect(run.filter((name) => name === undefined || !(name in scripts))).toEqual([])
})

describe('README.md', () => {
  const readme = readText('README.md')

  test('is short enough to be read', () => {
    expect(readme.split('\n').length).toBeLessThan(150)
  })

  test('leads to every page', () => {
    const linked = new Set(linksOf(readme).map((link) => link.split('#')[0]))
    // The pages about monitoring have a page of their own in front of them.
    const wanted = filesBelow(['docs'], '.md').filter((path) => dirname(path) === 'docs')
    const second = new Set(
      [...linked].flatMap((path) =>
        path?.endsWith('.md')
          ? linksOf(readText(path)).map((link) => join(dirname(path), link.split('#')[0] ?? ''))
          : [],
      ),
    )
    expect(wanted.filter((path) => !linked.has(path) && !second.has(path))).toEqual([])
  })

  test('begins with the two commands: the daemon without a network, and the tests', () => {
    const [first] = blocksOf(readme)
    const commands = first?.text.split('\n').map((line) => line.replace(/ +#.*/, ''))
    expect(commands).toEqual(['npm ci && npm run demo', 'npm ci && npm test'])
  })
})
