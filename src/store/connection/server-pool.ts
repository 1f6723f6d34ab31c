import { Socket } from 'node:net'
import { type Client, type ClientConfig, Pool, type PoolClient, type PoolConfig } from 'pg'
import { DatabaseServers } from './database-servers.ts'
import { PrimaryClient, ReadOnlyServer } from './primary-client.ts'

/** Why connections were given up that had done nothing wrong themselves. */
class GivenUp extends Error {}

const readOnlyServer = () => {
  const message = 'its server takes no writes any more'
  return new GivenUp(message, { cause: new ReadOnlyServer(message) })
}

/**
 * A pool on the server of the URL that takes writes. When one of its connections finds that its server takes none any more,
 * or answers nothing, the idle ones and those that listen are given up with it: the next use connects anew.
 */
export class ServerPool extends Pool {
  readonly #servers: DatabaseServers
  readonly #clients = new Set<PoolClient>()
  readonly #busy = new Set<PoolClient>()

  constructor(url: string, config: Omit<PoolConfig, 'Client' | 'connectionString'>) {
    const servers = new DatabaseServers(url)
    super({ ...config, Client: clientOf(servers) })
    this.#servers = servers
    this.on('connect', (client) => this.#watch(client))
    this.on('acquire', (client) => this.#busy.add(client))
    this.on('release', (error, client) => {
      this.#busy.delete(client)
      if (isSilence(error)) this.#giveUp(new GivenUp('a connection to the database does not answer'))
    })
    this.on('remove', (client) => {
      this.#busy.delete(client)
      this.#clients.delete(client)
    })
  }

  /** `10.0.0.1:5432, 10.0.0.2:5432`: for messages. */
  get serverNames(): string {
    return this.#servers.names
  }

  /** The open connections' sockets. */
  get sockets(): Socket[] {
    return [...this.#clients].map(socketOf)
  }

  /** Gives up what is not in use, and asks all servers of the URL again which of them takes writes. */
  leaveServer(): void {
    this.#servers.lost()
    this.#giveUp(readOnlyServer())
  }

  /** Ends the pool; what has not ended by then is cut. */
  async close(limitMs: number): Promise<void> {
    const cut = setTimeout(() => {
      for (const socket of this.sockets) socket.destroy()
    }, limitMs)
    await this.end().finally(() => clearTimeout(cut))
  }

  #watch(client: PoolClient): void {
    this.#clients.add(client)
    socketOf(client).once('close', () => this.#clients.delete(client))
    if (!(client instanceof PrimaryClient)) return
    client.onReadOnly(() => {
      this.leaveServer()
      // After its query has failed with the server's own words.
      setImmediate(() => socketOf(client).destroy(readOnlyServer()))
    })
  }

  #giveUp(reason: GivenUp): void {
    const unused = [...this.#clients].filter((client) => !this.#busy.has(client) || isListening(client))
    for (const client of unused) socketOf(client).destroy(reason)
  }
}

/** One line is enough for all that were given up with another. */
export const isGivenUp = (error: Error): boolean => error instanceof GivenUp

const clientOf = (servers: DatabaseServers) =>
  class extends PrimaryClient {
    constructor(config: ClientConfig = {}) {
      super(servers, config)
    }
  }

/** A session that waits for notifications says nothing by itself, and so never finds out. */
const isListening = (client: Client): boolean => client.listenerCount('notification') > 0

/** The driver has no code for the second. */
const isSilence = (error: unknown): boolean =>
  error instanceof Error &&
  (('code' in error && error.code === 'ETIMEDOUT') || error.message === 'Query read timeout')

export function socketOf({ connection: { stream } }: Client): Socket {
  if (!(stream instanceof Socket)) throw new TypeError('a connection to PostgreSQL goes over a socket')
  return stream
}
