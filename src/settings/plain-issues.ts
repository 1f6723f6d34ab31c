import { z } from 'zod'
import { didYouMean } from './did-you-mean.ts'

type RawIssue = z.core.$ZodRawIssue

/** `quoting`: messages may show values; not for secrets. */
type ExamineOptions = Readonly<{ quoting?: boolean }>

/** Validates outside input; messages follow the path: `candles.recheck` `is "many", not a number`. */
export const examine = <T>(
  schema: z.ZodType<T>,
  value: unknown,
  { quoting = false }: ExamineOptions = {},
): z.ZodSafeParseResult<T> =>
  schema.safeParse(value, {
    error: (issue) => plainMessage(issue, quoting && !isSecret(issue.path)),
  })

/** Issues with their path. */
export const plainIssues = (error: z.ZodError, what: string): string[] =>
  error.issues.map(({ path, message }) => `${path.map(String).join('.') || what} ${message}`)

const isSecret = (path: readonly PropertyKey[] = []): boolean =>
  path.some((key) => /secret|password|token/i.test(String(key)))

function plainMessage(issue: RawIssue, quoting: boolean): string {
  switch (issue.code) {
    case 'invalid_type':
      return unlike(issue.input, typeWords[issue.expected] ?? `a ${issue.expected}`, quoting)
    case 'invalid_value':
      return `${unlike(issue.input, oneOf(issue.values.map(String)), quoting)}${hint(issue.input, issue.values.map(String), quoting)}`
    case 'too_small':
      return tooSmall(issue, quoting)
    case 'too_big':
      return tooBig(issue, quoting)
    case 'not_multiple_of':
      return `${beginning(issue.input, quoting)}must be a multiple of ${issue.divisor}`
    case 'invalid_format':
      return unlike(issue.input, formatWords[issue.format] ?? 'of the form that is expected', quoting)
    case 'unrecognized_keys':
      return unknownKeys(issue.keys, keysOf(issue.inst))
    case 'invalid_key':
      return 'is not a name that is expected here'
    default:
      return unlike(issue.input, 'of a form that is expected here', quoting)
  }
}

/** By zod's type names. */
const typeWords: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'a section with settings',
  record: 'a section with entries',
}

const formatWords: Readonly<Record<string, string>> = {
  url: 'a URL such as https://host/path',
  datetime: 'a time such as 2024-03-01T00:00:00Z',
  template_literal: 'of the form that is expected',
}

const partsOf: Readonly<Record<string, string>> = { string: 'characters', array: 'entries' }

type SizeIssue<Code> = Extract<RawIssue, { code: Code }>

function tooSmall({ origin, minimum, inclusive, input }: SizeIssue<'too_small'>, quoting: boolean): string {
  const parts = partsOf[origin]
  if (parts !== undefined) return Number(minimum) === 1 ? 'is empty' : `has fewer than ${minimum} ${parts}`
  return `${beginning(input, quoting)}must be ${inclusive === false ? 'greater than' : 'at least'} ${minimum}`
}

function tooBig({ origin, maximum, inclusive, input }: SizeIssue<'too_big'>, quoting: boolean): string {
  const parts = partsOf[origin]
  if (parts !== undefined) return `has more than ${maximum} ${parts}`
  return `${beginning(input, quoting)}must be ${inclusive === false ? 'less than' : 'at most'} ${maximum}`
}

/** `is "many", not a number`, or `is missing`. */
function unlike(input: unknown, wanted: string, quoting: boolean): string {
  if (input === undefined) return `is missing: it must be ${wanted}`
  if (input === null) return `is empty: it must be ${wanted}`
  return quoting ? `is ${shown(input)}, not ${wanted}` : `is not ${wanted}`
}

const beginning = (input: unknown, quoting: boolean): string => (quoting ? `is ${shown(input)}, and ` : '')

const oneOf = (values: readonly string[]): string =>
  values.length === 1 ? `${values[0]}` : `one of ${values.join(', ')}`

const hint = (input: unknown, known: readonly string[], quoting: boolean): string =>
  quoting && typeof input === 'string' ? didYouMean(input, known).replace(/^ /, '. ') : ''

const longestShown = 60

function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'a section'
  if (typeof value !== 'string') return String(value)
  // JSON shows invisible characters.
  return JSON.stringify(value.length <= longestShown ? value : `${value.slice(0, longestShown)}…`)
}

/** The keys of an object's schema. */
const keysOf = (schema: unknown): string[] => (schema instanceof z.ZodObject ? Object.keys(schema.shape) : [])

function unknownKeys(keys: readonly string[], known: readonly string[]): string {
  const names = keys.map(shown).join(', ')
  const hints = [...new Set(keys.map((key) => didYouMean(key, known)))].join('')
  return `has no ${names}.${hints}${known.length > 0 ? ` There is ${known.join(', ')}` : ''}`
}
