import { Client, type ClientConfig } from 'pg'
import { Unavailable } from '../../fault.ts'
import { second } from '../../market/instant.ts'
import type { DatabaseAddress } from '../../settings/database-url.ts'
import { serverName } from '../../settings/server-list.ts'
import { DatabaseServers } from './database-servers.ts'

/** The server is a replica or has default_transaction_read_only on. */
export class ReadOnlyServer extends Unavailable {}

const readOnlyTransaction = '25006'

/** Timeout for checking one of several servers. */
const probeLimitMs = 5 * second

type Connected = ((error: Error) => void) | ((error: null, client: Client) => void)

/** A connection to the primary, like libpq's target_session_attrs=read-write, which the driver lacks. */
export class PrimaryClient extends Client {
  readonly #servers: DatabaseServers
  readonly #config: ClientConfig
  /** From ParameterStatus messages, sent at session start and on change. */
  readonly #reported = new Map<string, string>()
  #whenReadOnly: () => void = () => undefined

  constructor(servers: DatabaseServers, config: ClientConfig) {
    super({ ...config, connectionString: servers.first.url })
    this.#servers = servers
    this.#config = config
    this.connection.on('parameterStatus', this.#onParameter)
    this.connection.on('errorMessage', ({ code }: { code?: string }) => {
      if (code === readOnlyTransaction) this.#whenReadOnly()
    })
  }

  override connect(): Promise<Client>
  override connect(callback: Connected): void
  override connect(callback?: Connected): Promise<Client> | undefined {
    const connected = this.#connectToPrimary()
    if (callback === undefined) return connected
    const report = callback as (error: Error | null, client?: Client) => void
    connected.then(
      (client) => report(null, client),
      (error: Error) => report(error),
    )
    return undefined
  }

  onReadOnly(listener: () => void): void {
    this.#whenReadOnly = listener
  }

  get isReadOnly(): boolean {
    return ['in_hot_standby', 'default_transaction_read_only'].some(
      (name) => this.#reported.get(name) === 'on',
    )
  }

  async #connectToPrimary(): Promise<Client> {
    const server = this.#servers.primary ?? (await this.#findPrimary())
    // The pool has abandoned this connection meanwhile.
    if (this.connection.stream.destroyed) throw new Unavailable('the database did not answer in time')
    if (this.#servers.addresses.length > 1) Object.assign(this, { host: server.host, port: server.port })
    try {
      await super.connect()
      if (this.isReadOnly) throw await this.#refused(server)
      return this
    } catch (error) {
      this.#servers.lost()
      throw error
    }
  }

  async #refused(server: DatabaseAddress): Promise<ReadOnlyServer> {
    await this.end()
    return new ReadOnlyServer(
      `PostgreSQL at ${serverName(server)} takes no writes: it is a replica, or default_transaction_read_only is on`,
    )
  }

  async #findPrimary(): Promise<DatabaseAddress> {
    const failures: Error[] = []
    for (const server of this.#servers.addresses) {
      try {
        await this.#probe(server)
        this.#servers.found(server)
        return server
      } catch (error) {
        failures.push(error instanceof Error ? error : new Error(String(error)))
      }
    }
    const why = failures.map(({ message }) => message).join('; ')
    const cause = new AggregateError(failures, why)
    throw new Unavailable(`none of the servers ${this.#servers.names} takes writes (${why})`, { cause })
  }

  async #probe({ url }: DatabaseAddress): Promise<void> {
    const config = { ...this.#config, connectionTimeoutMillis: probeLimitMs }
    const client = new PrimaryClient(new DatabaseServers(url), config)
    client.on('error', () => undefined)
    await client.connect()
    await client.end()
  }

  readonly #onParameter = ({ parameterName, parameterValue }: Record<string, string>): void => {
    this.#reported.set(parameterName ?? '', parameterValue ?? '')
    if (parameterValue === 'on' && this.isReadOnly) this.#whenReadOnly()
  }
}
