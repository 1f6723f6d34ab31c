import { parse } from 'yaml'
import { z } from 'zod'
import { readText } from '../ground/project.ts'

const row = z.strictObject({
  fault: z.string().min(1),
  injection: z.string().min(1),
  promise: z.string().min(1),
  /** Titles of tests by the file that has them. */
  tests: z.record(z.string(), z.array(z.string().min(1)).min(1)),
})

const matrix = z.record(z.string(), z.array(row).min(1))

export type FaultRow = z.infer<typeof row>

/** Every fault that is tested, by what fails. */
export const readMatrix = (): Record<string, FaultRow[]> =>
  matrix.parse(parse(readText('test/faults/matrix.yaml')))
