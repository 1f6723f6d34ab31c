import type { Cluster } from 'ioredis'
import type { RedisServers } from '../../settings/redis-url.ts'
import { type ServerAddress, serverName } from '../../settings/server-list.ts'

/**
 * Configured nodes plus those last reported by the cluster, so that a reconnecting client does not depend on a node
 * that is gone.
 */
export class ClusterNodes {
  /** Mutable: clients read it at each connection. */
  readonly current: ServerAddress[]
  readonly #configured: RedisServers['servers']

  constructor({ servers }: RedisServers) {
    this.#configured = servers
    this.current = [...servers]
  }

  /** Updates the nodes at each refresh. */
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
