import { Socket } from 'node:net'
import { type Client, type ClientConfig, Pool, type PoolClient, type PoolConfig } from 'pg'
import { DatabaseServers } from './database-servers.ts'
import { PrimaryClient, ReadOnlyServer } from './primary-client.ts'

/** Closes healthy connections to a server that was given up. */
class GivenUp extends Error {}

const readOnlyServer = () => {
  const message = 'its server takes no writes any more'
  return new GivenUp(message, { cause: new ReadOnlyServer(message) })
}

/**
 * A pool on the primary. When a connection finds its server read-only or silent, idle and listening connections are
 * destroyed too, so the next use reconnects.
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

  get serverNames(): string {
    return this.#servers.names
  }

  /** Sockets of the open connections. */
  get sockets(): Socket[] {
    return [...this.#clients].map(socketOf)
  }

  /** Destroys unused connections and searches for the primary again. */
  leaveServer(): void {
    this.#servers.lost()
    this.#giveUp(readOnlyServer())
  }

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
      // After its query has failed with the server's own error.
      setImmediate(() => socketOf(client).destroy(readOnlyServer()))
    })
  }

  #giveUp(reason: GivenUp): void {
    const unused = [...this.#clients].filter((client) => !this.#busy.has(client) || isListening(client))
    for (const client of unused) socketOf(client).destroy(reason)
  }
}

/** These errors need no log line of their own. */
export const isGivenUp = (error: Error): boolean => error instanceof GivenUp

const clientOf = (servers: DatabaseServers) =>
  class extends PrimaryClient {
    constructor(config: ClientConfig = {}) {
      super(servers, config)
    }
  }

/** A listening session sends nothing and so would not notice. */
const isListening = (client: Client): boolean => client.listenerCount('notification') > 0

/** The driver sets no code for the second. */
const isSilence = (error: unknown): boolean =>
  error instanceof Error &&
  (('code' in error && error.code === 'ETIMEDOUT') || error.message === 'Query read timeout')

export function socketOf({ connection: { stream } }: Client): Socket {
  if (!(stream instanceof Socket)) throw new TypeError('a connection to PostgreSQL goes over a socket')
  return stream
}
