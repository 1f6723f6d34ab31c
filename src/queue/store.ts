import type { BackendFactory, IQueueBackend } from 'bullmq'
import { Unavailable } from '../fault.ts'
import type { RedisClient } from './redis/open-redis.ts'

/** Where the queues live. Only here is it known which of the two it is. */
export type Store = Readonly<{
  kind: 'redis' | 'postgres'
  backend: BackendFactory<IQueueBackend, unknown>
  /** The connection that commands go over; undefined in PostgreSQL. */
  redis?: RedisClient
  /** Asks whether writes are taken, over a connection that the workers use. Throws StoreRefusal where the reason is known. */
  check(): Promise<void>
  /** Closes what is the store's own; the queues and workers have closed theirs. */
  close(): Promise<void>
}>

/** The store answers, and refuses. Anybody may read the message. */
export class StoreRefusal extends Unavailable {}
