import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { second } from '../../market/instant.ts'
import type { RedisServers } from '../../settings/redis-url.ts'
import type { ClusterNodes } from './cluster-nodes.ts'
import { replyMapping, sentinelOptions, serverOptions } from './options.ts'
import { primaryConnectorOf } from './primary-connector.ts'
import { isDemoted, redisRefusal } from './refusal.ts'

export type RedisClient = Redis | Cluster

/** The servers' last refusal; undefined after a success. */
export type RedisHealth = { refusal: string | undefined }

export type OpenRedis = Readonly<{
  servers: RedisServers
  isCluster: boolean
  nodes: ClusterNodes
  health: RedisHealth
  /** Timeout over reconnections; absent means none. */
  commandTimeoutMs?: number
  onError(error: Error): void
}>

/** Must outlast a worker's 10 s blocking command; without it a dead connection waits forever. */
const socketTimeoutMs = 11 * second

const retryAfterMs = (times: number): number => Math.min(250 * 2 ** Math.min(times, 5), 2 * second)

/** Connects to a server, a Sentinel's primary or a cluster; reconnects until disconnected. */
export function openRedis(options: OpenRedis): RedisClient {
  const client = options.isCluster ? new ClusterClient(options) : openServer(options)
  client.on('error', options.onError)
  return client
}

function common({ servers, health, commandTimeoutMs }: OpenRedis): RedisOptions {
  return {
    ...serverOptions(servers),
    socketTimeout: socketTimeoutMs,
    maxRetriesPerRequest: null,
    ...(commandTimeoutMs === undefined ? {} : { commandTimeout: commandTimeoutMs }),
    reconnectOnError: (error) => {
      const refusal = redisRefusal(error)
      if (refusal !== undefined) health.refusal = refusal
      return isDemoted(error) ? 2 : false
    },
  }
}

function openServer(options: OpenRedis): Redis {
  const { servers, health } = options
  const onReplica = () => {
    health.refusal = 'Redis takes no writes: the server is a replica'
  }
  return new Redis({
    ...common(options),
    db: servers.database,
    retryStrategy: retryAfterMs,
    ...(servers.sentinel
      ? sentinelOptions(servers, servers.sentinel)
      : { Connector: primaryConnectorOf(servers, onReplica) }),
    replyMapping,
  })
}

/** BullMQ duplicates the client for each worker. */
class ClusterClient extends Cluster {
  readonly #nodes: ClusterNodes

  constructor(options: OpenRedis) {
    super(options.nodes.current, {
      redisOptions: { ...common(options), replyMapping },
      clusterRetryStrategy: retryAfterMs,
      // If the check fails, as in a fail-over, ioredis never settles connect().
      enableReadyCheck: false,
      slotsRefreshTimeout: 5 * second,
      // By name, for certificate checks.
      dnsLookup: (address, callback) => callback(null, address),
    })
    this.#nodes = options.nodes
    this.#nodes.follow(this)
  }

  override duplicate(...[startupNodes, options]: Parameters<Cluster['duplicate']>): Cluster {
    const copy = super.duplicate(startupNodes, options)
    return Object.assign(copy, { startupNodes: this.#nodes.current })
  }
}
