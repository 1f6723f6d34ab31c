import { InvalidInput } from '../../fault.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import { type Coin, listCoins } from '../../store/coins.ts'
import { readTimeframe, readTimeframes } from '../arguments.ts'
import type { DatabaseSession } from '../session.ts'
import { chosenCoins } from './chosen-coins.ts'

type Deps = Pick<DatabaseSession, 'db' | 'settings'>

export type NamedSeries = Readonly<{ coin: Coin; timeframe: Timeframe }>

export async function readSeries({ db, settings }: Deps, name: string, text: string): Promise<NamedSeries> {
  const timeframe = readTimeframe(text, settings)
  const [coin] = chosenCoins(await listCoins(db), [name], settings)
  if (!coin) throw new InvalidInput('no coin is tracked. Track one with: beacon coins add bitcoin')
  return { coin, timeframe }
}

/** Default all tracked coins. Throws InvalidInput. */
export async function readSeveralSeries(
  { db, settings }: Deps,
  names: readonly string[],
  text: string,
): Promise<NamedSeries[]> {
  const wanted = readTimeframes(text, settings)
  const coins = chosenCoins(await listCoins(db), names, settings)
  return coins.flatMap((coin) => wanted.map((timeframe) => ({ coin, timeframe })))
}
