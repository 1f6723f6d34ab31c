import { isDeepStrictEqual } from 'node:util'
import { InvalidInput } from '../fault.ts'
import { examine, plainIssues } from '../settings/plain-issues.ts'
import type { Job } from './job.ts'
import { storable } from './storable.ts'

export function readPayload<P>(job: Job<P>, payload: unknown): P {
  const result = examine(job.payload, payload, { quoting: true })
  if (result.success) return result.data
  throw new InvalidInput(
    `the payload of ${job.name} cannot be used: ${plainIssues(result.error, 'it').join('; ')}`,
  )
}

/** Also throws InvalidInput if the payload would not survive storage. */
export function readStorablePayload<P>(job: Job<P>, payload: unknown): P {
  const read = readPayload(job, payload)
  if (isDeepStrictEqual(storable(read, Number.POSITIVE_INFINITY), read)) return read
  throw new InvalidInput(
    `the payload of ${job.name} cannot be stored: leave out NUL characters, broken text, bigints and dates`,
  )
}
