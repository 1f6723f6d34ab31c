import type { BackendFactory, IQueueBackend } from 'bullmq'

/** Where the queues live. Only here is it known which of the two it is. */
export type Store = Readonly<{
  kind: 'redis' | 'postgres'
  backend: BackendFactory<IQueueBackend, unknown>
  /** Answers, or throws. */
  ping(): Promise<void>
  /** Closes what is the store's own; the queues and workers have closed theirs. */
  close(): Promise<void>
}>
