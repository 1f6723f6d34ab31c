import { InvalidInput } from '../../fault.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import { type Coin, listCoins } from '../../store/coins.ts'
import { readTimeframe, readTimeframes } from '../arguments.ts'
import type { DatabaseSession } from '../session.ts'
import { chosenCoins } from './chosen-coins.ts'

type Deps = Pick<DatabaseSession, 'db' | 'settings'>

export type NamedSeries = Readonly<{ coin: Coin; timeframe: Timeframe }>

/** The tracked coin and the timeframe that were named. Throws InvalidInput for others. */
export async function readSeries({ db, settings }: Deps, name: string, text: string): Promise<NamedSeries> {
  const timeframe = readTimeframe(text, settings)
  const [coin] = chosenCoins(await listCoins(db), [name], settings)
  if (!coin) throw new InvalidInput('no coin is tracked. Track one with: beacon coins add bitcoin')
  return { coin, timeframe }
}

/** Each named coin, or every tracked one, in each of the timeframes. Throws InvalidInput for others. */
export async function readSeveralSeries(
  { db, settings }: Deps,
  names: readonly string[],
  text: string,
): Promise<NamedSeries[]> {
  const wanted = readTimeframes(text, settings)
  const coins = chosenCoins(await listCoins(db), names, settings)
  return coins.flatMap((coin) => wanted.map((timeframe) => ({ coin, timeframe })))
}
