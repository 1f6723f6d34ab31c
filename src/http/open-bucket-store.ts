import type { Cluster, Redis } from 'ioredis'
import type { Pool } from 'pg'
import type { BucketStore } from './bucket-store.ts'
import { openPostgresBuckets } from './postgres-buckets.ts'
import { openRedisBuckets } from './redis-buckets.ts'

export type BudgetStore = Readonly<{ redis: Redis | Cluster } | { pool: Pool }>

export const openBucketStore = (store: BudgetStore): BucketStore =>
  'redis' in store ? openRedisBuckets(store.redis) : openPostgresBuckets(store.pool)
