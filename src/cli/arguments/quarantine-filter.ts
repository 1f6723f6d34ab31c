import { InvalidInput } from '../../fault.ts'
import { timeframeMeant, timeframes } from '../../market/timeframe.ts'
import { didYouMean } from '../../settings/did-you-mean.ts'
import { sourceIds } from '../../settings/source-ids.ts'
import { listCoins } from '../../store/coins.ts'
import { readKnownNames } from '../../store/quarantine/known-names.ts'
import type { QuarantineFilter } from '../../store/quarantine.ts'
import type { Database } from '../../store/transaction.ts'

export type NamedFilter = Readonly<{ source?: string; coin?: string; timeframe?: string; reason?: string }>

/** Throws InvalidInput for unknown names, which would match nothing. */
export async function readQuarantineFilter(
  db: Database,
  { source, coin, timeframe, reason }: NamedFilter,
): Promise<Omit<QuarantineFilter, 'state'>> {
  if (reason?.trim() === '')
    throw new InvalidInput('--reason is empty: write a part of the reason, or leave it out')
  const { coinIds, sources } = await readKnownNames(db)
  const coinId = coin === undefined ? undefined : await coinIdOf(db, coin, coinIds)
  refuseUnlessKnown('source', source, [...new Set([...sourceIds, ...sources])])
  const meant = timeframe === undefined ? undefined : (timeframeMeant(timeframe) ?? timeframe)
  refuseUnlessKnown('timeframe', meant, timeframes)
  return {
    ...(source === undefined ? {} : { source }),
    ...(coinId === undefined ? {} : { coinId }),
    ...(meant === undefined ? {} : { timeframe: meant }),
    ...(reason === undefined ? {} : { reason }),
  }
}

/** An id, or a tracked symbol. Untracked coins may have rows. */
async function coinIdOf(db: Database, name: string, coinIds: readonly string[]): Promise<string> {
  if (coinIds.includes(name)) return name
  const coins = await listCoins(db)
  const found = coins.filter(({ symbol }) => symbol.toUpperCase() === name.toUpperCase())
  const [only, another] = found
  if (only && !another) return only.id
  throw new InvalidInput(
    `there is no coin "${name}".${didYouMean(name, coinIds)} List the tracked coins with: beacon coins list`,
  )
}

function refuseUnlessKnown(what: string, name: string | undefined, known: readonly string[]): void {
  if (name === undefined || known.includes(name)) return
  throw new InvalidInput(
    `there is no ${what} "${name}".${didYouMean(name, known)} Known names: ${known.join(', ')}`,
  )
}
