import type { z } from 'zod'
import { InvalidInput } from '../../fault.ts'
import { examine, plainIssues } from '../../settings/plain-issues.ts'

/** Throws InvalidInput unless the text fits the schema. */
export function refuseUnfit(option: string, schema: z.ZodType<string>, text: string | undefined): void {
  if (text === undefined) return
  const read = examine(schema, text, { quoting: true })
  if (!read.success) throw new InvalidInput(plainIssues(read.error, option).join('; '))
}
