import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { InvalidInput } from '../fault.ts'
import type { Job } from './job.ts'
import { storable } from './storable.ts'

/** The payload as the job's schema reads it. Throws InvalidInput that says what is wrong with it. */
export function readPayload<P>(job: Job<P>, payload: unknown): P {
  const result = job.payload.safeParse(payload)
  if (result.success) return result.data
  throw new InvalidInput(
    `the payload of ${job.name} cannot be used: ${z.prettifyError(result.error).replaceAll(/\s+/g, ' ')}`,
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
