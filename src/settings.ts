import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { InvalidInput } from './fault.ts'
import { packageDir } from './package-dir.ts'
import { didYouMean } from './settings/did-you-mean.ts'
import { type Environment, readEnvironment } from './settings/environment.ts'
import { type Configuration, coinsFile, configuration, type FollowedCoin } from './settings/schema.ts'
import { readYamlFile, type YamlFile } from './settings/yaml-file.ts'

/** Everything an operator decides, read once, checked and frozen. */
export type Settings = Readonly<Configuration & { environment: Environment; coins: readonly FollowedCoin[] }>

export const configDir = fileURLToPath(new URL('config', packageDir))

/**
 * Reads the environment, `config/default.yaml`, and over it the operator's own file (`BEACON_CONFIG`) or the one
 * given. Throws InvalidInput with file, line and path for a mistake.
 */
export function readSettings(variables: NodeJS.ProcessEnv, overlay?: string): Settings {
  const environment = readEnvironment(variables)
  const overlayFile = overlay ?? environment.configFile
  const files = [join(configDir, 'default.yaml'), ...(overlayFile ? [resolve(overlayFile)] : [])].map(
    readYamlFile,
  )
  const merged = files.map(({ content }) => content).reduce(layOver)
  const checked = check(configuration, merged, files)
  const list = readYamlFile(resolve(dirname(fileThatHolds(files, ['coinsFile']).name), checked.coinsFile))
  const coins = followed(check(coinsFile, list.content, [list]), checked, files)
  return Object.freeze({ ...checked, environment, coins })
}

function layOver(below: unknown, above: unknown): unknown {
  if (!isRecord(below) || !isRecord(above)) return above
  const merged: Record<string, unknown> = { ...below }
  for (const [key, value] of Object.entries(above))
    merged[key] = key in below ? layOver(below[key], value) : value
  return merged
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const holds = (file: YamlFile, path: readonly PropertyKey[]): boolean =>
  path.reduce<unknown>((value, key) => (isRecord(value) ? value[String(key)] : undefined), file.content) !==
  undefined

const fileThatHolds = (files: readonly YamlFile[], path: readonly PropertyKey[]): YamlFile =>
  files.findLast((file) => holds(file, path)) ?? (files.at(-1) as YamlFile)

function check<T>(schema: z.ZodType<T>, content: unknown, files: readonly YamlFile[]): T {
  const result = schema.safeParse(content)
  if (result.success) return result.data
  throw new InvalidInput(result.error.issues.flatMap((issue) => describe(issue, schema, files)).join('\n'))
}

function describe(issue: z.core.$ZodIssue, schema: z.ZodType, files: readonly YamlFile[]): string[] {
  const unknown = unknownKeys(issue)
  if (unknown === undefined) {
    return [
      `${placeOf(issue.path, files)}: ${issue.path.map(String).join('.') || 'the file'} ${issue.message}`,
    ]
  }
  const known = knownKeys(schema, unknown.below)
  return unknown.keys.map((key) => {
    const path = [...unknown.below, key]
    return `${placeOf(path, files)}: there is no setting ${path.map(String).join('.')}.${didYouMean(key, known)}`
  })
}

type UnknownKeys = Readonly<{ below: readonly PropertyKey[]; keys: readonly string[] }>

/** The keys that there is no setting for, where that is what is wrong. */
function unknownKeys(issue: z.core.$ZodIssue): UnknownKeys | undefined {
  if (issue.code === 'unrecognized_keys') return { below: issue.path, keys: issue.keys }
  if (issue.code !== 'invalid_key') return undefined
  return { below: issue.path.slice(0, -1), keys: [String(issue.path.at(-1))] }
}

function placeOf(path: readonly PropertyKey[], files: readonly YamlFile[]): string {
  const file = fileThatHolds(files, path)
  return `${file.name}:${file.lineOf(path) ?? 1}`
}

function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: unknown = schema
  for (const key of path) {
    if (at instanceof z.ZodObject) at = at.shape[String(key)]
    else if (at instanceof z.ZodRecord) at = at.valueType
    else if (at instanceof z.ZodArray) at = at.element
  }
  if (at instanceof z.ZodObject) return Object.keys(at.shape)
  return at instanceof z.ZodRecord ? namedBy(at.keyType) : []
}

/** The names that a schema of names spells out. */
function namedBy(names: unknown): string[] {
  if (names instanceof z.ZodUnion) return names.options.flatMap(namedBy)
  return names instanceof z.ZodEnum ? names.options.map(String) : []
}

function followed(
  coins: readonly FollowedCoin[],
  { follow }: Configuration,
  files: readonly YamlFile[],
): FollowedCoin[] {
  if (follow === 'all') return [...coins]
  return follow.map((id) => {
    const coin = coins.find((candidate) => candidate.id === id)
    if (coin) return coin
    const file = fileThatHolds(files, ['follow'])
    const hint = didYouMean(
      id,
      coins.map((candidate) => candidate.id),
    )
    throw new InvalidInput(
      `${file.name}:${file.lineOf(['follow']) ?? 1}: no coin "${id}" in the coins file.${hint}`,
    )
  })
}
