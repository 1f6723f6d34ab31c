import { z } from 'zod'
import { InvalidInput } from '../fault.ts'

/** A text for a column of so many characters. */
export const fittingText = (length: number) =>
  z
    .string({ error: 'is not a text' })
    .min(1, { error: 'is empty' })
    .max(length, { error: `is longer than ${length} characters` })

/**
 * Returns what the database can take. Throws InvalidInput that names each field with a mistake, and never what it
 * holds: it may be a secret. Told here, nothing that was handed over gets into a message of the database.
 */
export function checkInput<T>(schema: z.ZodType<T>, input: unknown): T {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const mistakes = result.error.issues.map(({ path, message }) => `${path.map(String).join('.')} ${message}`)
  throw new InvalidInput(`${mistakes.join('; ')}: correct it and try again`)
}

/** Whether the text may be the id of a row; the database would not take it into a comparison otherwise. */
export const isRowId = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
