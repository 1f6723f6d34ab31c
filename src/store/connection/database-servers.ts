import { InvalidInput } from '../../fault.ts'
import { type DatabaseAddress, readDatabaseUrl } from '../../settings/database-url.ts'
import { serverName } from '../../settings/server-list.ts'

/** The servers that one URL names, and the one of them that took writes last. */
export class DatabaseServers {
  readonly addresses: readonly DatabaseAddress[]
  /** `10.0.0.1:5432, 10.0.0.2:5432`: for messages. */
  readonly names: string
  #primary: DatabaseAddress | undefined

  constructor(url: string) {
    const addresses = readDatabaseUrl(url)
    if (typeof addresses === 'string') throw new InvalidInput(`DATABASE_URL ${addresses}`)
    this.addresses = addresses
    this.names = addresses.map(serverName).join(', ')
    // Of one server nothing needs to be found out.
    if (addresses.length === 1) this.#primary = addresses[0]
  }

  get primary(): DatabaseAddress | undefined {
    return this.#primary
  }

  get first(): DatabaseAddress {
    const [first] = this.addresses
    if (!first) throw new InvalidInput('DATABASE_URL names no server')
    return first
  }

  found(primary: DatabaseAddress): void {
    this.#primary = primary
  }

  /** It cannot be reached, or takes no writes any more: the next connection tries all of them. */
  lost(): void {
    if (this.addresses.length > 1) this.#primary = undefined
  }
}
