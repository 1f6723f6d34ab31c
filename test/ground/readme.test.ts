import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { sourceIds } from '../../src/settings/source-ids.ts'
import { scriptFile } from '../support/scripts.ts'
import { filesBelow, projectDir, readText } from './project.ts'

const readme = readText('README.md')
const execute = promisify(execFile)

/** What stands in code: the lines of its blocks, and the spans between them. */
const codeOf = (page: string): string[] => [
  ...[...page.matchAll(/^```\w*\n(.*?)^```/gms)].flatMap(([, block = '']) => block.split('\n')),
  ...[...page.replaceAll(/^```.*?^```/gms, '').matchAll(/`([^`]+)`/g)].map(([, span = '']) => span),
]

/** Every command line that is spelled out, as its words after `beacon`. */
const commandLines = (page: string): string[][] =>
  codeOf(page).flatMap((line) => {
    const words = /(?:^|\s)beacon ([a-z][^#|]*)/.exec(line)?.[1]
    return words === undefined ? [] : [words.trim().split(/\s+/)]
  })

/** The help of each command, by its words. */
async function helpTexts(paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const { stdout } = await execute(process.execPath, [scriptFile('ground/print-help'), ...paths], {
    cwd: projectDir,
  })
  const texts = stdout.split('\f')
  return new Map(paths.map((path, index) => [path, texts[index] ?? '']))
}

function commandsIn(help = ''): string[] {
  const [, list = ''] = help.split('\nCommands:\n')
  return [...list.matchAll(/^ {2}([a-z][\w-]*)/gm)].flatMap(([, name = '']) =>
    name === 'help' ? [] : [name],
  )
}

describe('the commands of the README', async () => {
  const lines = commandLines(readme)
  const firstWords = [...new Set(lines.map(([first = '']) => first))]
  const firstTwo = [...new Set(lines.map(([first = '', second = '']) => `${first} ${second}`))]
  const help = await helpTexts([
    '',
    ...firstWords,
    ...firstTwo.filter((words) => /^[a-z]+ [a-z]+$/.test(words)),
  ])
  const subcommands = firstWords.flatMap((first) =>
    commandsIn(help.get(first)).map((name) => `${first} ${name}`),
  )

  test('exist, and all that exist are there', () => {
    expect(firstWords.toSorted()).toEqual(commandsIn(help.get('')).sort())
  })

  test('name every subcommand', () => {
    const isNamed = (words: string) =>
      firstTwo.includes(words) || readme.includes(`\`${words.split(' ')[1]}\``)
    expect(subcommands.length).toBeGreaterThan(5)
    expect(subcommands.filter((words) => !isNamed(words))).toEqual([])
  })

  test('have the options that are shown', () => {
    const unknown = lines.flatMap(([first = '', second = '', ...rest]) => {
      const words = `${first} ${second}`
      const text = help.get(subcommands.includes(words) ? words : first) ?? ''
      return [second, ...rest].filter((word) => /^--\w/.test(word) && !new RegExp(`${word}\\b`).test(text))
    })
    expect(unknown).toEqual([])
  })
})

describe('the environment of the README', () => {
  const inReadme = [...readme.matchAll(/^\| `([A-Z][A-Z0-9_]+)` \|/gm)].map(([, name]) => name)

  const inCode = [
    ...readText('src/settings/environment.ts').matchAll(
      /^ {2}([A-Z][A-Z0-9_]+): (?:z\.|url\(|readableBy\()/gm,
    ),
    ...filesBelow(['src', 'jobs'], '.ts').flatMap((file) => [
      ...readText(file).matchAll(/\bprocess\.env\.((?!PATH\b)[A-Z][A-Z0-9_]+)/g),
    ]),
  ].map(([, name]) => name)

  const baseUrls = sourceIds.map((id) => `${id.toUpperCase().replaceAll('-', '_')}_BASE_URL`)

  test('is what the code reads, no more and no less', () => {
    expect([...new Set(inReadme)].sort()).toEqual([...new Set([...inCode, ...baseUrls])].sort())
  })

  test('is all that the composition sets for the daemon', () => {
    const composition = readText('docker-compose.yml')
    const [, daemon = ''] = composition.split(/^ {2}beacon:$/m)
    const set = [...daemon.matchAll(/^ {6}([A-Z][A-Z0-9_]+): /gm)].map(([, name]) => name)
    expect(set.length).toBeGreaterThan(0)
    expect(set.filter((name) => !inReadme.includes(name))).toEqual([])
  })
})

describe('the pages', () => {
  const pages = ['README.md', ...filesBelow(['docs'], '.md')]

  test('run only scripts that the package has', () => {
    const { scripts } = z
      .object({ scripts: z.record(z.string(), z.string()) })
      .parse(JSON.parse(readText('package.json')))
    const run = pages.flatMap((page) =>
      [...readText(page).matchAll(/\bnpm (?:run ([\w:-]+)|(start|test))\b/g)].map(
        ([, name, short]) => name ?? short,
      ),
    )
    expect(run.length).toBeGreaterThan(0)
    expect(run.filter((name) => name === undefined || !(name in scripts))).toEqual([])
  })

  test.each(pages)('%s links only to what is there', (page) => {
    const targets = [...readText(page).matchAll(/\]\((?!\w+:)([^)#]+)/g)].map(([, target = '']) => target)
    expect(targets.filter((target) => !existsSync(join(projectDir, dirname(page), target)))).toEqual([])
  })

  test.each(pages)('%s names only files of ours that are there', (page) => {
    const paths = codeOf(readText(page)).filter((span) =>
      /^(?:src|jobs|config|drizzle|docs|test)\/[\w./-]*$/.test(span),
    )
    expect(paths.filter((path) => !existsSync(join(projectDir, path)))).toEqual([])
  })
})
