import { InvalidInput } from '../../fault.ts'
import { type DatabaseAddress, readDatabaseUrl } from '../../settings/database-url.ts'
import { serverName } from '../../settings/server-list.ts'

/** The servers of one URL and the one that accepted writes last. */
export class DatabaseServers {
  readonly addresses: readonly DatabaseAddress[]
  readonly names: string
  #primary: DatabaseAddress | undefined

  constructor(url: string) {
    const addresses = readDatabaseUrl(url)
    if (typeof addresses === 'string') throw new InvalidInput(`DATABASE_URL ${addresses}`)
    this.addresses = addresses
    this.names = addresses.map(serverName).join(', ')
    // A single server needs no search.
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

  /** Call when the server is unreachable or read-only: the next connection tries all servers. */
  lost(): void {
    if (this.addresses.length > 1) this.#primary = undefined
  }
}
