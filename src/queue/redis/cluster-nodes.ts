import type { Cluster } from 'ioredis'
import type { RedisServers } from '../../settings/redis-url.ts'
import { type ServerAddress, serverName } from '../../settings/server-list.ts'

/**
 * The nodes of REDIS_URL, and those that the cluster has named last. A client that has lost all its connections begins anew
 * with what it was given: without the latter it would wait for a node that is gone, while the others work.
 */
export class ClusterNodes {
  /** Changes with what the cluster names; a client that was given it reads it at each connection. */
  readonly current: ServerAddress[]
  readonly #configured: RedisServers['servers']

  constructor({ servers }: RedisServers) {
    this.#configured = servers
    this.current = [...servers]
  }

  /** Remembers the nodes each time that this client has asked for them. */
  follow(cluster: Cluster): void {
    cluster.on('refresh', () => {
      const named = cluster
        .nodes()
        .flatMap(({ options: { host, port } }) => (host && port ? [{ host, port }] : []))
      const byName = new Map([...this.#configured, ...named].map((node) => [serverName(node), node]))
      this.current.splice(0, this.current.length, ...byName.values())
    })
  }
}
