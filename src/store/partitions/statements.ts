import { type Instant, toIso } from '../../market/instant.ts'
import type { Range } from '../../market/range.ts'

/** `'2024-03-01 05:00:00'` */
const timestampLiteral = (instant: Instant): string =>
  `'${toIso(instant)
    .replace('T', ' ')
    .replace(/([.]000)?Z$/, '')}'`

/** As the catalog spells it. */
export const boundsClause = ({ from, to }: Range): string =>
  `FOR VALUES FROM (${timestampLiteral(from)}) TO (${timestampLiteral(to)})`
