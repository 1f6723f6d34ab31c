import { z } from 'zod'
import { type Instant, toInstant, toIso } from '../../../market/instant.ts'
import type { Range } from '../../../market/range.ts'
import type { ArchiveColumn, Content } from '../../../store/lifecycle/archives/archive-content.ts'
import { type ArchivedCoverage, coverageForm } from '../../../store/lifecycle/archives/archived-coverage.ts'
import { type Archive, checksumsForm, columnsForm } from '../../../store/lifecycle/archives.ts'
import { sealKey } from './file-seal.ts'

/** Metadata in a file, enough to rebuild its manifest row. */
export type FileFacts = Readonly<{
  id: string
  table: string
  partition: string | undefined
  /** Undefined in files of earlier versions, like the following. */
  range: Range | undefined
  createdAt: Instant | undefined
  columns: readonly ArchiveColumn[] | undefined
  coverage: readonly ArchivedCoverage[]
  /** Undefined if not counted before writing. */
  content: Content | undefined
  /** Hash of all bytes. */
  seal: string | undefined
}>

export const factTexts = (
  { id, table, partition, range, createdAt, columns, coverage }: Archive,
  content: Content | undefined,
): Readonly<Record<string, string>> => ({
  archive: id,
  table,
  partition: partition ?? '',
  range_from: toIso(range.from),
  range_to: toIso(range.to),
  created_at: toIso(createdAt),
  columns: JSON.stringify(columns),
  coverage: JSON.stringify(coverage),
  ...(content && { rows: String(content.rows), checksums: JSON.stringify(content.checksums) }),
})

const iso = z.iso.datetime().transform((text) => toInstant(Date.parse(text)))
const json = <T>(form: z.ZodType<T>) =>
  z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text)
      } catch {
        context.addIssue({ code: 'custom', message: 'is no JSON' })
        return z.NEVER
      }
    })
    .pipe(form)

const factsForm = z.object({
  archive: z.uuid(),
  table: z.string().regex(/^[a-z_][a-z0-9_]{0,62}$/),
  partition: z.string().max(63),
  range_from: iso.optional(),
  range_to: iso.optional(),
  created_at: iso.optional(),
  columns: json(columnsForm).optional(),
  coverage: json(coverageForm).optional(),
  rows: z.coerce.number().int().min(0).optional(),
  checksums: json(checksumsForm).optional(),
  [sealKey]: z.string().optional(),
})

/** Undefined for files that are not ours. */
export function readFacts(texts: Readonly<Record<string, string>>): FileFacts | undefined {
  const found = factsForm.safeParse(texts)
  if (!found.success) return undefined
  const facts = found.data
  const { range_from: from, range_to: to, rows, checksums } = facts
  return {
    id: facts.archive,
    table: facts.table,
    partition: facts.partition === '' ? undefined : facts.partition,
    range: from !== undefined && to !== undefined && from < to ? { from, to } : undefined,
    createdAt: facts.created_at,
    columns: facts.columns,
    coverage: facts.coverage ?? [],
    content: rows !== undefined && checksums !== undefined ? { rows, checksums } : undefined,
    seal: facts[sealKey],
  }
}
