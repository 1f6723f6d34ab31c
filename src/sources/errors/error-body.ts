import { z } from 'zod'
import type { HttpAnswer } from '../../http/request.ts'

/** No source writes a longer error; a longer body is an answer, and is not parsed twice. */
const longestError = 65_536

/** A JSON body that may be an error; undefined for any other. */
export function errorBody({ text }: HttpAnswer): unknown {
  if (text.length > longestError || !/^\s*[[{]/.test(text)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined // whoever reads the answer refuses it
  }
}

/** A code that is written as a number or as text. */
export const writtenCode = z.union([z.number(), z.string()]).transform(String)

/** A text that may be missing. */
export const optionalText = z
  .string()
  .nullish()
  .transform((text) => text ?? '')
