import type { BackendFactory, IQueueBackend } from 'bullmq'
import { Unavailable } from '../fault.ts'
import type { Instant } from '../market/instant.ts'
import type { RedisClient } from './redis/open-redis.ts'

/** What of a queue its store needs to find the locks of its jobs. */
export type LockedQueue = Readonly<{
  name: string
  toKey(type: string): string
  getActive(): Promise<readonly Readonly<{ id?: string | undefined }>[]>
}>

/** Where the queues live. Only here is it known which of the two it is. */
export type Store = Readonly<{
  kind: 'redis' | 'postgres'
  backend: BackendFactory<IQueueBackend, unknown>
  /** The connection that commands go over; undefined in PostgreSQL. */
  redis?: RedisClient
  /** Asks whether writes are taken, over a connection that the workers use. Throws StoreRefusal where the reason is known. */
  check(): Promise<void>
  /** Removes a job whatever its state, also one that belongs to a schedule or has the lock of a worker that is gone. */
  forgetJob(queue: LockedQueue, id: string): Promise<void>
  /** Removes the finished jobs that ended after then. Returns how many there were. */
  forgetFuture(queue: LockedQueue, then: Instant): Promise<number>
  /**
   * Locks that end later than any lock may were taken while the clock was ahead: they end as if they had been taken now.
   * Returns how many there were.
   */
  shortenLocks(queue: LockedQueue, now: Instant): Promise<number>
  /** Closes what is the store's own; the queues and workers have closed theirs. */
  close(): Promise<void>
}>

/** The store answers, and refuses. Anybody may read the message. */
export class StoreRefusal extends Unavailable {}
