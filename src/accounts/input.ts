import { z } from 'zod'
import { InvalidInput } from '../fault.ts'
import { examine, plainIssues } from '../settings/plain-issues.ts'

/** A text that will be encrypted: any, for a ciphertext holds what the database would not take. */
export const anyText = z.string({ error: 'is not a text' })

const unstorable = 'holds a NUL or half of a character, which the database does not take'

/** A text that is stored as it is. */
export const storableText = anyText.refine((text) => text.isWellFormed() && !text.includes('\0'), {
  error: unstorable,
})

/** A text for a column of so many characters. */
export const fittingText = (length: number) =>
  storableText.min(1, { error: 'is empty' }).max(length, { error: `is longer than ${length} characters` })

/** Any value that JSON has, as its JSON text; null for null. */
export const jsonText = z.unknown().transform((value, { addIssue }): string | null => {
  if (value === null) return null
  const text = jsonOf(value)
  if (text !== undefined && !escapedUnstorable.test(text)) return text
  addIssue({ code: 'custom', message: text === undefined ? 'is no JSON' : unstorable })
  return z.NEVER
})

/** JSON writes both as escapes, and whole characters beyond them as they are. An escaped backslash begins none. */
const escapedUnstorable = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/

/** Undefined where there is no JSON for the value: a function, say, or what holds itself or a bigint. */
function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}

/**
 * Returns what the database can take. Throws InvalidInput that names each field with a mistake, and never what it
 * holds: it may be a secret. Told here, nothing that was handed over gets into a message of the database.
 */
export function checkInput<T>(schema: z.ZodType<T>, input: unknown): T {
  const result = examine(schema, input)
  if (result.success) return result.data
  throw new InvalidInput(`${plainIssues(result.error, 'the input').join('; ')}: correct it and try again`)
}

/** Whether the text may be the id of a row; the database would not take it into a comparison otherwise. */
export const isRowId = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
