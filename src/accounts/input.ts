import { z } from 'zod'
import { InvalidInput } from '../fault.ts'
import { examine, plainIssues } from '../settings/plain-issues.ts'

/** For encrypted fields: any text, even if PostgreSQL would reject it. */
export const anyText = z.string({ error: 'is not a text' })

const unstorable = 'holds a NUL or half of a character, which the database does not take'

export const storableText = anyText.refine((text) => text.isWellFormed() && !text.includes('\0'), {
  error: unstorable,
})

/** At most `length` characters. */
export const fittingText = (length: number) =>
  storableText.min(1, { error: 'is empty' }).max(length, { error: `is longer than ${length} characters` })

/** Any value as JSON text; null stays null. */
export const jsonText = z.unknown().transform((value, { addIssue }): string | null => {
  if (value === null) return null
  const text = jsonOf(value)
  if (text !== undefined && !escapedUnstorable.test(text)) return text
  addIssue({ code: 'custom', message: text === undefined ? 'is no JSON' : unstorable })
  return z.NEVER
})

/** JSON escapes NUL and lone surrogates only; an escaped backslash starts no escape. */
const escapedUnstorable = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/

/** Undefined for functions, cycles or bigints. */
function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}

/**
 * Throws InvalidInput naming each wrong field without its value, which may be secret; otherwise the database would
 * quote it.
 */
export function checkInput<T>(schema: z.ZodType<T>, input: unknown): T {
  const result = examine(schema, input)
  if (result.success) return result.data
  throw new InvalidInput(`${plainIssues(result.error, 'the input').join('; ')}: correct it and try again`)
}

export const isRowId = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
