import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { second } from '../../market/instant.ts'
import type { RedisServers } from '../../settings/redis-url.ts'
import type { ClusterNodes } from './cluster-nodes.ts'
import { replyMapping, sentinelOptions, serverOptions } from './options.ts'
import { primaryConnectorOf } from './primary-connector.ts'
import { isDemoted, redisRefusal } from './refusal.ts'

export type RedisClient = Redis | Cluster

/** Why the servers refused the last command; undefined once they took one. */
export type RedisHealth = { refusal: string | undefined }

export type OpenRedis = Readonly<{
  servers: RedisServers
  isCluster: boolean
  nodes: ClusterNodes
  health: RedisHealth
  /** How long a command may wait for its answer, over reconnections; without it as long as it takes. */
  commandTimeoutMs?: number
  onError(error: Error): void
}>

/**
 * A worker blocks for up to 10 s, which this must outlast, and then finds its other connection dead too: every second here
 * is one more of absence. Without it a connection that died silently is waited on for ever.
 */
const socketTimeoutMs = 11 * second

const retryAfterMs = (times: number): number => Math.min(250 * 2 ** Math.min(times, 5), 2 * second)

/** Opens a connection to the server, the primary of a Sentinel or the cluster; it reconnects until it is disconnected. */
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
    // The server has executed nothing: on the next connection the command is sent again.
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

/** BullMQ makes a copy for each worker, and disconnects and connects it by itself. */
class ClusterClient extends Cluster {
  readonly #nodes: ClusterNodes

  constructor(options: OpenRedis) {
    super(options.nodes.current, {
      redisOptions: { ...common(options), replyMapping },
      clusterRetryStrategy: retryAfterMs,
      // Where that check fails, as in a fail-over, ioredis never settles connect(), and BullMQ waits for it without a limit.
      enableReadyCheck: false,
      slotsRefreshTimeout: 5 * second,
      // By name, so that a certificate can be checked.
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
