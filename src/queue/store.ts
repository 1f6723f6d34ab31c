import type { BackendFactory, IQueueBackend } from 'bullmq'
import { Unavailable } from '../fault.ts'
import type { Instant } from '../market/instant.ts'
import type { RedisClient } from './redis/open-redis.ts'

export type LockedQueue = Readonly<{
  name: string
  toKey(type: string): string
  getActive(): Promise<readonly Readonly<{ id?: string | undefined }>[]>
}>

/** The store of the queues; only here the two differ. */
export type Store = Readonly<{
  kind: 'redis' | 'postgres'
  backend: BackendFactory<IQueueBackend, unknown>
  redis?: RedisClient
  /** Tests a write over a worker's connection. Throws StoreRefusal if the reason is known. */
  check(): Promise<void>
  /** Removes a job in any state, also scheduled or locked ones. */
  forgetJob(queue: LockedQueue, id: string): Promise<void>
  /** Removes jobs finished after then; returns the count. */
  forgetFuture(queue: LockedQueue, then: Instant): Promise<number>
  /** Shortens locks that a fast clock set; returns the count. */
  shortenLocks(queue: LockedQueue, now: Instant): Promise<number>
  close(): Promise<void>
}>

/** The store answers and refuses; the message is public. */
export class StoreRefusal extends Unavailable {}
