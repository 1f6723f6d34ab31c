import { isMap, isScalar, parseDocument, stringify } from 'yaml'
import { z } from 'zod'
import { configuration } from '../../src/settings/schema.ts'
import { generatedNote, tableOf } from './page.ts'

const introduction = `# Configuration

[config/default.yaml](../config/default.yaml) holds every setting. Put what differs into a file of your own and name it in
\`BEACON_CONFIG\`:

\`\`\`yaml
# my.yaml
timeframes:
  1m: { keep: 30 days }
  4h: { partition: month, ahead: 2, history: 90 days, keep: forever }
\`\`\`

\`\`\`sh
BEACON_CONFIG=my.yaml npx beacon start
\`\`\`

A duration is a number and a unit: \`2 s\`, \`15 minutes\`, \`90 days\`. The configuration is read at start; restart the daemon
after a change. Mistakes stop the start, each with its file, line and path; an unknown key is answered with the nearest known
one. What comes from environment variables is on a page of its own: [environment.md](environment.md).`

/** The parts of JSON Schema that the configuration makes use of. */
type ValueSchema = Readonly<{
  title?: string
  type?: string
  enum?: readonly string[]
  const?: string
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  format?: string
  items?: ValueSchema
  anyOf?: readonly ValueSchema[]
  properties?: Readonly<Record<string, ValueSchema>>
  additionalProperties?: ValueSchema | false
  propertyNames?: ValueSchema
}>

/** docs/configuration.md: the keys and values from the schema, the defaults and reasons from the default configuration. */
export function configurationPage(defaults: string): string {
  const schema = z.toJSONSchema(configuration, { io: 'input' }) as ValueSchema
  const { contents } = parseDocument(defaults)
  if (!isMap(contents)) throw new Error('the default configuration is not a map')
  const single: string[][] = []
  const sections: string[] = []
  for (const [key, value] of Object.entries(schema.properties ?? {})) {
    const entry = entryOf(contents, key)
    if (value.type === 'object') sections.push(sectionOf(key, value, entry))
    else single.push(rowOf(key, value, entry))
  }
  const titles = ['setting', 'value', 'default', 'meaning']
  return [generatedNote, introduction, '## Coins', tableOf(titles, single), ...sections, ''].join('\n\n')
}

function sectionOf(key: string, schema: ValueSchema, entry: Entry | undefined): string {
  const { prose, meanings } = readComment(entry?.comment)
  const known = schema.properties ? namedRows(key, schema, entry) : entryRows(key, schema, meanings)
  return [
    `## ${key}`,
    ...(prose === '' ? [] : [prose]),
    tableOf(['setting', 'value', ...(schema.properties ? ['default'] : []), 'meaning'], known),
    ...(schema.properties ? [] : [`The default:\n\n\`\`\`yaml\n${yamlOf(key, entry)}\`\`\``]),
  ].join('\n\n')
}

/** Settings whose names are given. */
function namedRows(key: string, schema: ValueSchema, entry: Entry | undefined): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, value]) => {
    const own = entryOf(entry?.value, name)
    return value.type === 'object'
      ? namedRows(`${key}.${name}`, value, own)
      : [rowOf(`${key}.${name}`, value, own)]
  })
}

/** Entries under names that the operator chooses, such as a timeframe. */
function entryRows(key: string, schema: ValueSchema, meanings: ReadonlyMap<string, string>): string[][] {
  const { properties } = schema.additionalProperties || {}
  return Object.entries(properties ?? {}).map(([name, value]) => [
    `\`${key}.<name>.${name}\``,
    valueText(value),
    meanings.get(name) ?? '',
  ])
}

function rowOf(path: string, schema: ValueSchema, entry: Entry | undefined): string[] {
  const { prose } = readComment(entry?.comment)
  return [`\`${path}\``, valueText(schema), `\`${flowText(entry?.value)}\``, prose]
}

const flowText = (value: unknown): string =>
  stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim()

/** What a setting may be, in a few words. */
function valueText(schema: ValueSchema): string {
  if (schema.title !== undefined) return schema.title
  if (schema.anyOf) return schema.anyOf.map(valueText).join(', or ')
  if (schema.const !== undefined) return `\`${schema.const}\``
  if (schema.enum) return schema.enum.map((one) => `\`${one}\``).join(', ')
  if (schema.items) return `list of ${valueText(schema.items)}`
  if (schema.properties)
    return Object.entries(schema.properties)
      .map(([name, value]) => `\`${name}\` (${valueText(value)})`)
      .join(' and ')
  if (schema.type === 'integer' || schema.type === 'number') return numberText(schema)
  return schema.format === 'uri' ? 'URL' : 'text'
}

function numberText({ type, minimum, exclusiveMinimum, maximum }: ValueSchema): string {
  const name = type === 'integer' ? 'whole number' : 'number'
  const least = minimum ?? exclusiveMinimum
  const from =
    least === undefined ? '' : exclusiveMinimum === undefined ? ` from ${least}` : ` above ${least}`
  const to = maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? '' : ` to ${maximum}`
  return `${name}${from}${to}`
}

/** A setting in the default configuration, with the lines above it. */
type Entry = Readonly<{ value: unknown; comment: string }>

function entryOf(map: unknown, key: string): Entry | undefined {
  if (!isMap(map)) return undefined
  const index = map.items.findIndex((pair) => isScalar(pair.key) && pair.key.value === key)
  const pair = map.items[index]
  if (!pair || !isScalar(pair.key)) return undefined
  // The parser gives what stands above the first key of a map to the map.
  const comment = pair.key.commentBefore ?? (index === 0 ? map.commentBefore : undefined) ?? ''
  return { value: pair.value, comment }
}

type Comment = Readonly<{ prose: string; meanings: ReadonlyMap<string, string> }>

/** The prose of a comment, and its lines of the form `name  meaning`. */
function readComment(comment = ''): Comment {
  const prose: string[] = []
  const meanings = new Map<string, string>()
  // The last block counts: an empty line above it parts it from what came before.
  for (const line of comment.split('\n\n').at(-1)?.split('\n') ?? []) {
    const [, name, meaning = ''] = /^ {2,}(\w+) {2,}(.+)$/.exec(line) ?? []
    if (name === undefined) prose.push(line.trim())
    else meanings.set(name, meaning)
  }
  return { prose: prose.join(' '), meanings }
}

const yamlOf = (key: string, entry: Entry | undefined): string =>
  stringify({ [key]: entry?.value }, { lineWidth: 0 })
