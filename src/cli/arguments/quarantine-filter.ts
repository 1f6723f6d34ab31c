import { InvalidInput } from '../../fault.ts'
import { timeframes } from '../../market/timeframe.ts'
import { didYouMean } from '../../settings/did-you-mean.ts'
import { sourceIds } from '../../settings/source-ids.ts'
import { readKnownNames } from '../../store/quarantine/known-names.ts'
import type { Database } from '../../store/transaction.ts'

export type NamedFilter = Readonly<{ source?: string; coin?: string; timeframe?: string; reason?: string }>

/** Throws InvalidInput where a filter names what does not exist: no row would match, for the wrong reason. */
export async function refuseWrongFilter(
  db: Database,
  { source, coin, timeframe, reason }: NamedFilter,
): Promise<void> {
  if (reason?.trim() === '')
    throw new InvalidInput('--reason is empty: write a part of the reason, or leave it out')
  const { coinIds, sources } = await readKnownNames(db)
  refuseUnlessKnown('coin', coin, coinIds, 'See: beacon coins list')
  const allSources = [...new Set([...sourceIds, ...sources])]
  refuseUnlessKnown('source', source, allSources, `There is ${allSources.join(', ')}`)
  refuseUnlessKnown('timeframe', timeframe, timeframes, `There is ${timeframes.join(', ')}`)
}

function refuseUnlessKnown(
  what: string,
  name: string | undefined,
  known: readonly string[],
  remedy: string,
): void {
  if (name === undefined || known.includes(name)) return
  throw new InvalidInput(`there is no ${what} "${name}".${didYouMean(name, known)} ${remedy}`)
}
