import { Redis } from 'ioredis'
import type { BudgetStore } from '../../src/http/open-bucket-store.ts'
import { type engines, redisUrl, test as withDatabase } from '../support/database.ts'

/** `test` with two connections to one store of that kind: two processes of the fleet. */
export const testOn = (engine: (typeof engines)[number]) =>
  withDatabase.extend('stores', async ({ pool }, { onCleanup }): Promise<[BudgetStore, BudgetStore]> => {
    if (engine === 'postgres') return [{ pool }, { pool }]
    const connections = [new Redis(redisUrl ?? ''), new Redis(redisUrl ?? '')] as const
    onCleanup(async () => {
      await Promise.all(connections.map((redis) => redis.quit()))
    })
    return [{ redis: connections[0] }, { redis: connections[1] }]
  })

let sources = 0

/** A source that nobody else asks. Redis is shared by the whole run. */
export function aSource(): string {
  sources += 1
  return `asked-${process.pid}-${sources}`
}
