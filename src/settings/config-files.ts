import { z } from 'zod'
import { didYouMean } from './did-you-mean.ts'
import { examine } from './plain-issues.ts'
import type { YamlFile } from './yaml-file.ts'

type Path = readonly PropertyKey[]

/** Merges by key; lists replace lists. */
export function layOver(below: unknown, above: unknown): unknown {
  if (!isRecord(below) || !isRecord(above)) return above
  const merged: Record<string, unknown> = { ...below }
  for (const [key, value] of Object.entries(above))
    merged[key] = key in below ? layOver(below[key], value) : value
  return merged
}

/** Removes timeframes with `1m: off`. */
export function withoutOff(content: unknown): unknown {
  if (!isRecord(content) || !isRecord(content.timeframes)) return content
  const kept = Object.entries(content.timeframes).filter(([, policy]) => policy !== 'off' && policy !== false)
  return { ...content, timeframes: Object.fromEntries(kept) }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const holds = (file: YamlFile, path: Path): boolean =>
  path.reduce<unknown>((value, key) => (isRecord(value) ? value[String(key)] : undefined), file.content) !==
  undefined

/** The last file that defines one of the paths. */
export const fileThatHolds = (files: readonly YamlFile[], ...paths: readonly Path[]): YamlFile =>
  files.findLast((file) => paths.some((path) => holds(file, path))) ?? (files.at(-1) as YamlFile)

/** `mine.yaml:3` */
export function placeOf(files: readonly YamlFile[], ...paths: readonly Path[]): string {
  const file = fileThatHolds(files, ...paths)
  const path = paths.find((one) => holds(file, one)) ?? paths[0] ?? []
  return `${file.name}:${file.lineOf(path) ?? 1}`
}

export type Checked<T> = Readonly<{ data: T | undefined; mistakes: readonly string[] }>

/** Validates; mistakes have file, line, path and the nearest known key. */
export function checkContent<T>(
  schema: z.ZodType<T>,
  content: unknown,
  files: readonly YamlFile[],
): Checked<T> {
  const result = examine(schema, content, { quoting: true })
  return result.success
    ? { data: result.data, mistakes: [] }
    : { data: undefined, mistakes: result.error.issues.flatMap((issue) => describe(issue, schema, files)) }
}

function describe(issue: z.core.$ZodIssue, schema: z.ZodType, files: readonly YamlFile[]): string[] {
  const unknown = unknownKeys(issue)
  if (unknown === undefined) {
    const path = issue.path.map(String).join('.') || 'the file'
    return [`${placeOf(files, issue.path)}: ${path} ${issue.message}`]
  }
  const known = knownKeys(schema, unknown.below)
  return unknown.keys.map((key) => {
    const path = [...unknown.below, key]
    return `${placeOf(files, path)}: there is no setting ${path.map(String).join('.')}.${didYouMean(key, known)}`
  })
}

type UnknownKeys = Readonly<{ below: Path; keys: readonly string[] }>

/** For unknown-key issues. */
function unknownKeys(issue: z.core.$ZodIssue): UnknownKeys | undefined {
  if (issue.code === 'unrecognized_keys') return { below: issue.path, keys: issue.keys }
  if (issue.code !== 'invalid_key') return undefined
  return { below: issue.path.slice(0, -1), keys: [String(issue.path.at(-1))] }
}

function knownKeys(schema: z.ZodType, path: Path): string[] {
  let at: unknown = schema
  for (const key of path) {
    at = withoutWrapping(at)
    if (at instanceof z.ZodObject) at = at.shape[String(key)]
    else if (at instanceof z.ZodRecord) at = at.valueType
    else if (at instanceof z.ZodArray) at = at.element
  }
  at = withoutWrapping(at)
  if (at instanceof z.ZodObject) return Object.keys(at.shape)
  return at instanceof z.ZodRecord ? namedBy(at.keyType) : []
}

const withoutWrapping = (schema: unknown): unknown =>
  schema instanceof z.ZodOptional ? withoutWrapping(schema.unwrap()) : schema

/** Keys allowed by a name schema. */
function namedBy(names: unknown): string[] {
  if (names instanceof z.ZodUnion) return names.options.flatMap(namedBy)
  return names instanceof z.ZodEnum ? names.options.map(String) : []
}

/** The valid sections and entries, so that one mistake does not hide others. */
export function readableSections<T extends z.ZodRawShape>(
  { shape }: z.ZodObject<T>,
  content: unknown,
): Partial<z.infer<z.ZodObject<T>>> {
  if (!isRecord(content)) return {}
  const read = Object.entries(shape).flatMap(([name, schema]) => {
    const section = readable(schema as z.ZodType, content[name])
    return section === undefined ? [] : [[name, section] as const]
  })
  return Object.fromEntries(read) as Partial<z.infer<z.ZodObject<T>>>
}

function readable(schema: z.ZodType, content: unknown): unknown {
  const result = examine(schema, content)
  if (result.success) return result.data
  if (!(schema instanceof z.ZodRecord) || !isRecord(content)) return undefined
  const valueType = schema.valueType as z.ZodType
  return Object.fromEntries(
    Object.entries(content).flatMap(([key, value]) => {
      const entry = examine(valueType, value)
      return entry.success ? [[key, entry.data]] : []
    }),
  )
}
