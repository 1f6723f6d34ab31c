import { readVersion } from '../../settings/version.ts'
import { defineCollector } from './collector.ts'

/** Only this process. */
export const thisProcess = defineCollector({
  name: 'process',
  gauges: {
    beacon_build_info: {
      help: 'Always 1: version of Beacon and Node.js, and where the queues live.',
      labels: ['version', 'node', 'queue_engine'],
    },
    beacon_pool_connections: {
      help: 'Database connections of this process by state; waiting are those who want one.',
      labels: ['state'],
    },
  },
  collect: async ({ engine, pool }) => [
    {
      name: 'beacon_build_info',
      labels: { version: readVersion(), node: process.versions.node, queue_engine: engine.kind },
      value: 1,
    },
    ...Object.entries({
      used: pool.totalCount - pool.idleCount,
      idle: pool.idleCount,
      waiting: pool.waitingCount,
    }).map(([state, value]) => ({ name: 'beacon_pool_connections' as const, labels: { state }, value })),
  ],
})
