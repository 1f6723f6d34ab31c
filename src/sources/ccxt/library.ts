import { createRequire } from 'node:module'
import type ccxt from 'ccxt'
import type { Exchange } from 'ccxt'
import { InvalidInput } from '../../fault.ts'
import { missingPackage } from '../../missing-package.ts'
import { didYouMean } from '../../settings/did-you-mean.ts'
import type { CcxtSourceId } from '../../settings/source-ids.ts'

type Ccxt = typeof ccxt

export type OpenedExchange = Readonly<{ library: Ccxt; exchange: Exchange }>

const here = createRequire(import.meta.url)

/**
 * Loads ccxt (almost a second, 60 MB) and opens an exchange without requests. Throws Misconfigured without ccxt,
 * InvalidInput for an unknown exchange.
 */
export function openExchange(id: CcxtSourceId, require = here): OpenedExchange {
  const library = loadCcxt(id, require)
  const name = nameOf(id)
  if (!library.exchanges.includes(name)) {
    throw new InvalidInput(
      `ccxt ${library.version} has no exchange "${name}".${didYouMean(name, library.exchanges)} See the list at https://github.com/ccxt/ccxt/wiki/Exchange-Markets`,
    )
  }
  const Opened: new (options: object) => Exchange = Reflect.get(library, name)
  // Our client limits rates; numbers stay text.
  const exchange = new Opened({ enableRateLimit: false, number: String })
  // Otherwise exponents pass through a double.
  Reflect.set(exchange, 'parseNumber', asWritten)
  return { library, exchange }
}

const asWritten = (value: unknown, fallback: unknown): unknown =>
  value === undefined ? fallback : String(value)

export const nameOf = (id: CcxtSourceId): string => id.slice('ccxt:'.length)

function loadCcxt(id: CcxtSourceId, require: NodeJS.Require): Ccxt {
  try {
    return require('ccxt')
  } catch (error) {
    throw missingPackage(error, `${id} needs ccxt, which is not installed`, ['ccxt'])
  }
}
