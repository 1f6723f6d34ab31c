import { createConnection, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { AbstractConnector, type RedisOptions } from 'ioredis'
import type { RedisServers } from '../../settings/redis-url.ts'
import type { ServerAddress } from '../../settings/server-list.ts'
import { connectShortly, infoOf } from './short-connection.ts'

/** ioredis' default would delay the process's end. */
const disconnectTimeoutMs = 2_000

/** A connection to the primary among the servers, and to none that is a replica, whatever its name led to before. */
export const primaryConnectorOf = (
  servers: RedisServers,
  onReplica: () => void,
): NonNullable<RedisOptions['Connector']> =>
  class extends AbstractConnector {
    constructor() {
      super(disconnectTimeoutMs)
    }

    async connect(): Promise<Socket> {
      this.connecting = true
      const address = await findPrimary(servers)
      if (!this.connecting) throw new Error('Connection is closed.')
      this.stream = open(address, servers.tls)
      this.stream.once('error', (error) => {
        this.firstError = error
      })
      return this.stream
    }

    override check({ role }: { role?: string }): boolean {
      const isPrimary = role !== 'slave'
      if (!isPrimary) onReplica()
      return isPrimary
    }
  }

const open = ({ host, port }: ServerAddress, tls: boolean): Socket =>
  tls ? connectTls({ host, port, servername: host }) : createConnection({ host, port })

/** With several servers, the first that reports itself as primary. */
async function findPrimary(servers: RedisServers): Promise<ServerAddress> {
  const [first, ...others] = servers.servers
  if (first === undefined) throw new Error('REDIS_URL names no server')
  if (others.length === 0) return first
  const failures: unknown[] = []
  for (const address of servers.servers) {
    try {
      const info = await connectShortly({ ...servers, servers: [address] }, infoOf)
      if (info.get('role') === 'master') return address
    } catch (error) {
      failures.push(error)
    }
  }
  throw new AggregateError(failures, 'none of the servers in REDIS_URL is a primary')
}
