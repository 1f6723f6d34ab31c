import { InvalidInput } from '../fault.ts'
import type { Timeframe } from '../market/timeframe.ts'
import { type Coin, listCoins } from '../store/coins.ts'
import { readTimeframes } from './arguments.ts'
import { chosenCoins } from './chosen-coins.ts'
import type { DatabaseSession } from './session.ts'

/** The followed coin and the timeframe that were named. Throws InvalidInput for another coin, or several timeframes. */
export async function readSeries(
  { db, settings }: Pick<DatabaseSession, 'db' | 'settings'>,
  coinId: string,
  name: string,
): Promise<{ coin: Coin; timeframe: Timeframe }> {
  const [timeframe, ...others] = readTimeframes(name, settings)
  if (timeframe === undefined || others.length > 0)
    throw new InvalidInput(`${name} is more than one timeframe: ask for one at a time`)
  const [coin] = chosenCoins(await listCoins(db), [coinId])
  if (!coin) throw new InvalidInput('name a coin; see: beacon coins list')
  return { coin, timeframe }
}
