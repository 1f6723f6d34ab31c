import type { z } from 'zod'
import { Malformed } from '../../fault.ts'

/** Throws Malformed naming the path, never the value. */
export function decode<Data>(source: string, what: string, schema: z.ZodType<Data>, body: unknown): Data {
  const { success, data, error } = schema.safeParse(body)
  if (success) return data
  const place = error.issues[0]?.path.join('.') || 'its top'
  throw new Malformed(`${source} sent ${what} with an unexpected shape at ${place}`)
}
