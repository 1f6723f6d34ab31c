import { commandLine } from '../../command-line.ts'
import { toIso, toMinuteText } from '../../market/instant.ts'
import { counted } from '../../status/words.ts'
import { repairStates, type StateDiscrepancy } from '../../store/coverage/states.ts'
import {
  checkDeeply,
  type Discrepancy,
  forgetMissingRows,
  planDeepCheck,
  type RowDiscrepancy,
} from '../../store/digests/deep-check.ts'
import { withCountingBar } from '../terminal/counting-bar.ts'
import { say } from '../terminal/output.ts'
import { type Check, type Deps, error, type Finding, warning } from './check.ts'

/** Limit; a lost disk may cause millions. */
const reported = 50

const repairCommand = 'npx beacon doctor --deep --repair'

/** Coverage and tables agree; `repair` corrects them. */
export const coverage = (repair: boolean): Check => ({
  name: 'coverage',
  run: async (deps) => {
    const { pool, now, signal } = deps
    const plan = await planDeepCheck(pool)
    const findings: Finding[] = []
    const onDiscrepancy = async (found: Discrepancy) => {
      const finding = repair ? await repairOne(deps, found) : findingOf(found)
      if (findings.length < reported) findings.push(finding)
    }
    const { candles, discrepancies } = await withCountingBar(plan.parts.length, 'parts', (onProgress) =>
      checkDeeply(pool, plan, { signal, now, onDiscrepancy, onProgress }),
    )
    say(
      `Compared ${counted(candles, 'candle')} in ${counted(plan.partitions, 'partition')} with what is recorded of ${counted(plan.series, 'series')}.`,
    )
    const more = discrepancies - findings.length
    if (more > 0)
      findings.push(
        error(`There are ${counted(more, 'discrepancy').replace('ys', 'ies')} more.`, repairCommand),
      )
    return findings
  },
})

const isOfRows = (found: Discrepancy): found is RowDiscrepancy =>
  found.kind === 'row-missing' || found.kind === 'row-unrecorded'

function findingOf(found: Discrepancy): Finding {
  if (!isOfRows(found)) return error(stateMessage(found), repairCommand)
  return found.kind === 'row-missing'
    ? error(missingMessage(found), `${repairCommand}, and then: ${gapsCommandOf(found)}`)
    : error(unrecordedMessage(found), unrecordedRemedy(found))
}

async function repairOne({ pool, now }: Deps, found: Discrepancy): Promise<Finding> {
  if (!isOfRows(found)) {
    await repairStates(pool, found, now)
    return warning(`${stateMessage(found)} Put in order.`, 'Nothing is left to do.')
  }
  if (found.kind === 'row-unrecorded') return error(unrecordedMessage(found), unrecordedRemedy(found))
  const candles = await forgetMissingRows(pool, found, now)
  return warning(
    `${missingMessage(found)} ${counted(candles, 'candle')} missing again.`,
    gapsCommandOf(found),
  )
}

const placeOf = ({ coinId, timeframe, range }: Discrepancy): string =>
  `${coinId} ${timeframe} from ${toMinuteText(range.from)} to ${toMinuteText(range.to)}`

const whereOf = ({ partition }: RowDiscrepancy): string =>
  partition === undefined ? 'for which there is no partition' : `in ${partition}`

const missingMessage = (found: RowDiscrepancy): string =>
  `${placeOf(found)}: ${counted(found.candles, 'candle')} recorded as stored, without a row ${whereOf(found)}.`

const unrecordedMessage = (found: RowDiscrepancy): string =>
  `${placeOf(found)}: ${counted(found.candles, 'candle')} ${whereOf(found)} that nothing is recorded of.`

const stateMessage = (found: StateDiscrepancy): string =>
  found.kind === 'in-future'
    ? `${placeOf(found)}: recorded by ${found.source} as ${found.states}, before its candles have closed.`
    : `${placeOf(found)}: recorded by ${found.source} as ${found.states}.`

const gapsCommandOf = (found: RowDiscrepancy): string =>
  commandLine`npx beacon gaps ${found.coinId} --timeframe ${found.timeframe} --from ${toIso(found.range.from)} --to ${toIso(found.range.to)} --repair --force`

const unrecordedRemedy = (found: RowDiscrepancy): string =>
  `${commandLine`npx beacon backfill ${found.coinId} --timeframe ${found.timeframe} --from ${toIso(found.range.from)} --to ${toIso(found.range.to)} --force`} requests them from their source; delete what is reported again after that`
