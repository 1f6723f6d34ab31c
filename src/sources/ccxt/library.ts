import { createRequire } from 'node:module'
import type ccxt from 'ccxt'
import type { Exchange } from 'ccxt'
import { InvalidInput } from '../../fault.ts'
import { missingPackage } from '../../missing-package.ts'
import { didYouMean } from '../../settings/did-you-mean.ts'
import type { CcxtSourceId } from '../../settings/source-ids.ts'

type Ccxt = typeof ccxt

/** One exchange of the library, and the library itself for the names of its errors. */
export type OpenedExchange = Readonly<{ library: Ccxt; exchange: Exchange }>

const here = createRequire(import.meta.url)

/**
 * Loads ccxt, which takes most of a second and 60 MB, and opens one of its exchanges without asking it anything. Throws
 * Misconfigured where the library is not installed, and InvalidInput where it does not know the exchange.
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
  // The budget of the fleet is kept by our client; amounts stay as they were written.
  const exchange = new Opened({ enableRateLimit: false, number: String })
  // Its own takes a number with an exponent by way of a double.
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
