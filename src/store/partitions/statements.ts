import { type Instant, toIso } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'

/** `'2024-03-01 05:00:00'` */
const timestampLiteral = (instant: Instant): string =>
  `'${toIso(instant)
    .replace('T', ' ')
    .replace(/([.]000)?Z$/, '')}'`

/** `FOR VALUES FROM ('2024-03-01 00:00:00') TO ('2024-03-02 00:00:00')`, as the catalog spells it. */
export const boundsClause = ({ from, to }: Range): string =>
  `FOR VALUES FROM (${timestampLiteral(from)}) TO (${timestampLiteral(to)})`
