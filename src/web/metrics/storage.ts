import { second } from '../../market/instant.ts'
import { readTables } from '../../status/partitions.ts'
import { readNewestSample } from '../../store/figures/database-samples.ts'
import { listOpenIncidents } from '../../store/incidents.ts'
import { readPartitionsAhead } from '../../store/lifecycle/partitions-ahead.ts'
import { databaseOf } from '../../store/transaction.ts'
import { defineCollector } from './collector.ts'

export const partitions = defineCollector({
  name: 'partitions',
  gauges: {
    beacon_partitions: { help: 'Partitions of a partitioned table.', labels: ['table'] },
    beacon_partition_bytes: {
      help: 'Size of the partitions of a table, with their indexes.',
      labels: ['table'],
    },
    beacon_partitions_ahead_seconds: {
      help: 'From now to where a table has no partition yet; 0 when new rows have nowhere to go.',
      labels: ['table'],
    },
  },
  collect: async ({ pool, settings, clock }) => [
    ...(await readTables(pool, settings, clock.now())).flatMap(({ table, partitions, bytes }) => [
      { name: 'beacon_partitions' as const, labels: { table }, value: partitions },
      { name: 'beacon_partition_bytes' as const, labels: { table }, value: bytes },
    ]),
    ...(await readPartitionsAhead(pool, settings, clock.now())).map(({ table, coveredTo }) => ({
      name: 'beacon_partitions_ahead_seconds' as const,
      labels: { table },
      value: (coveredTo - clock.now()) / second,
    })),
  ],
})

/** Last sample of the monitor, once a minute. */
export const database = defineCollector({
  name: 'database',
  gauges: {
    beacon_database_sample_age_seconds: { help: 'How old the figures of the database are.', labels: [] },
    beacon_database_bytes: { help: 'Size of the database.', labels: [] },
    beacon_database_disk_free_bytes: {
      help: 'Free where the server keeps its data; none where that disk cannot be seen.',
      labels: [],
    },
    beacon_database_connections: {
      help: 'Sessions of all programs: active, idle, or waiting for a lock.',
      labels: ['state'],
    },
    beacon_database_connections_max: {
      help: 'Sessions that the server allows, for all of its databases together.',
      labels: [],
    },
    beacon_database_query_seconds: { help: 'Mean time of a transaction over the last minute.', labels: [] },
    beacon_database_ping_seconds: { help: 'How long the smallest statement took.', labels: [] },
    beacon_database_cache_hit_ratio: {
      help: 'Blocks found in shared buffers over the last minute, from 0 to 1.',
      labels: [],
    },
    beacon_database_index_scan_ratio: {
      help: 'Scans that used an index over the last minute, from 0 to 1.',
      labels: [],
    },
  },
  collect: async ({ pool, clock }) => {
    const sample = await readNewestSample(databaseOf(pool))
    if (!sample) return []
    const seconds = (ms: number | null) => (ms === null ? null : ms / second)
    const values = {
      beacon_database_sample_age_seconds: (clock.now() - sample.sampledAt) / second,
      beacon_database_bytes: sample.databaseBytes,
      beacon_database_disk_free_bytes: sample.diskFreeBytes,
      beacon_database_connections_max: sample.connectionsMax,
      beacon_database_query_seconds: seconds(sample.averageQueryMs),
      beacon_database_ping_seconds: seconds(sample.pingMs),
      beacon_database_cache_hit_ratio: sample.cacheHitRatio,
      beacon_database_index_scan_ratio: sample.indexScanRatio,
    } as const
    return [
      ...namesOf(values).flatMap((name) => {
        const value = values[name]
        return value === null ? [] : [{ name, value }]
      }),
      ...Object.entries({
        active: sample.connectionsActive,
        idle: sample.connectionsIdle,
        waiting: sample.connectionsWaiting,
      }).map(([state, value]) => ({
        name: 'beacon_database_connections' as const,
        labels: { state },
        value,
      })),
    ]
  },
})

const namesOf = <K extends string>(values: Readonly<Record<K, unknown>>): K[] => Object.keys(values) as K[]

export const incidents = defineCollector({
  name: 'incidents',
  gauges: {
    beacon_incidents_open: { help: 'Open alerts.', labels: [] },
  },
  collect: async ({ pool }) => [
    { name: 'beacon_incidents_open', value: (await listOpenIncidents(databaseOf(pool))).length },
  ],
})
