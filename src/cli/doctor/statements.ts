import { lengthInWords } from '../../status/words.ts'
import { readHiddenFigures } from '../../store/connection/monitoring-rights.ts'
import {
  readIndexUsage,
  readSlowStatements,
  type SlowStatement,
} from '../../store/figures/database-figures.ts'
import { databaseOf } from '../../store/transaction.ts'
import { bytesText, countText } from '../terminal/output.ts'
import { type Check, type Finding, warning } from './check.ts'

const shown = 3
/** Too rare to matter. */
const fewCalls = 20
/** Smaller indexes cost little. */
const worthwhileBytes = 50_000_000

/** Expensive statements and unused indexes. */
export const statements: Check = {
  name: 'statements',
  run: async ({ pool, settings }): Promise<Finding[]> => {
    const db = databaseOf(pool)
    const slow = (await readSlowStatements(db, 50)) ?? []
    const { unused, scanned } = await readIndexUsage(db, 50)
    const hidden = await readHiddenFigures(db)
    return [
      ...(hidden === undefined ? [] : [warning(hidden.message, hidden.remedy)]),
      ...slow
        .filter(({ calls, averageMs }) => calls >= fewCalls && averageMs > settings.monitoring.averageQuery)
        .slice(0, shown)
        .map(slowFinding),
      ...unused
        .filter(({ bytes }) => bytes >= worthwhileBytes)
        .slice(0, shown)
        .map(({ index, table, bytes }) =>
          warning(
            `The index ${index} of ${table} (${bytesText(bytes)}) was never used since the statistics began.`,
            `If that was long ago, and on every replica: drop index ${index}`,
          ),
        ),
      ...scanned
        .slice(0, shown)
        .map(({ table, tableScans, indexScans }) =>
          warning(
            `${table} is read from end to end (${countText(tableScans)} times, through an index ${countText(indexScans)}).`,
            `See which statement does, and what index it lacks: explain analyze …`,
          ),
        ),
    ]
  },
}

const slowFinding = ({ text, calls, averageMs }: SlowStatement): Finding =>
  warning(
    `A statement took ${averageMs < 2_000 ? `${Math.round(averageMs)} ms` : lengthInWords(averageMs)} on the average of ${countText(calls)} times: ${text.slice(0, 100)}`,
    'See what it waits for: explain (analyze, buffers) …',
  )
