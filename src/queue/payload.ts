import { isDeepStrictEqual } from 'node:util'
import { InvalidInput } from '../fault.ts'
import { examine, plainIssues } from '../settings/plain-issues.ts'
import type { Job } from './job.ts'
import { storable } from './storable.ts'

/** The payload as the job's schema reads it. Throws InvalidInput that says what is wrong with it. */
export function readPayload<P>(job: Job<P>, payload: unknown): P {
  const result = examine(job.payload, payload, { quoting: true })
  if (result.success) return result.data
  throw new InvalidInput(
    `the payload of ${job.name} cannot be used: ${plainIssues(result.error, 'it').join('; ')}`,
  )
}

/** The same, for a payload that is to be stored: it must come out of the queue as it went in. */
export function readStorablePayload<P>(job: Job<P>, payload: unknown): P {
  const read = readPayload(job, payload)
  if (isDeepStrictEqual(storable(read, Number.POSITIVE_INFINITY), read)) return read
  throw new InvalidInput(
    `the payload of ${job.name} cannot be stored: leave out NUL characters, broken text, bigints and dates`,
  )
}
