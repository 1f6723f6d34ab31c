import { commandLine } from '../../command-line.ts'
import { InvalidInput } from '../../fault.ts'
import { timeframeMeant } from '../../market/timeframe.ts'
import { didYouMean } from '../../settings/did-you-mean.ts'
import type { Settings } from '../../settings.ts'
import type { Coin } from '../../store/coins.ts'

export function chosenCoins(
  coins: readonly Coin[],
  names: readonly string[],
  settings: Pick<Settings, 'coins'>,
): Coin[] {
  if (names.length === 0) return [...coins]
  return [...new Set(names.map((name) => coinNamed(coins, name, settings)))]
}

function coinNamed(coins: readonly Coin[], name: string, settings: Pick<Settings, 'coins'>): Coin {
  const byId = coins.find(({ id }) => id === name) ?? coins.find(({ id }) => id === name.toLowerCase())
  if (byId) return byId
  const [bySymbol, ...others] = coins.filter(({ symbol }) => isSame(symbol, name))
  if (bySymbol && others.length > 0) {
    const ids = [bySymbol, ...others].map(({ id }) => id)
    throw new InvalidInput(
      `${name} is the symbol of several tracked coins: write the id, ${ids.join(' or ')}`,
    )
  }
  if (bySymbol) return bySymbol
  throw new InvalidInput(unknownCoin(coins, name, settings))
}

const isSame = (a: string, b: string): boolean => a.toUpperCase() === b.toUpperCase()

function unknownCoin(coins: readonly Coin[], name: string, settings: Pick<Settings, 'coins'>): string {
  const timeframe = timeframeMeant(name)
  if (timeframe !== undefined)
    return `"${name}" is a timeframe and no coin: write --timeframe ${timeframe} instead`
  const known = settings.coins.find(({ id, symbol }) => isSame(id, name) || isSame(symbol, name))
  if (known)
    return `${known.id} (${known.symbol}) is not tracked. Track it with: ${commandLine`beacon coins add ${known.id}`}`
  const ids = coins.flatMap(({ id, symbol }) => [id, symbol])
  return `no coin "${name}" is tracked.${didYouMean(name, ids)} List the tracked coins with: beacon coins list`
}
