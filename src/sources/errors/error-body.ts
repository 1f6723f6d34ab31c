import { z } from 'zod'
import type { HttpAnswer } from '../../http/request.ts'

/** Longer bodies are answers; avoids parsing twice. */
const longestError = 65_536

/** Undefined unless short JSON. */
export function errorBody({ text }: HttpAnswer): unknown {
  if (text.length > longestError || !/^\s*[[{]/.test(text)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export const writtenCode = z.union([z.number(), z.string()]).transform(String)

export const optionalText = z
  .string()
  .nullish()
  .transform((text) => text ?? '')
