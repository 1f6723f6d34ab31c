import { setTimeout as wait } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { Unavailable } from '../fault.ts'
import { sqlStateOf, type Transaction } from './transaction.ts'

/** How long one try waits for a lock, in milliseconds, and how many tries there are. */
export type LockRetryPolicy = Readonly<{ waitMs: number; tries: number }>

/** A lock that was not had in time, and a deadlock of which we were the victim. */
const steppedBack = new Set(['55P03', '40P01'])

export const isLockFailure = (error: unknown): boolean => steppedBack.has(sqlStateOf(error) ?? '')

/** Longer each time, so that whoever waited behind us gets on. */
export const pauseAfter = (attempt: number): Promise<void> => wait(Math.min(50 * attempt, 500))

/**
 * Runs work that wants a strong lock, in the transaction, and takes it back to try again where the lock is not had in
 * time: whoever comes after us waits behind us as long as we wait. Throws Unavailable with the sentence after the last try.
 */
export async function patiently<T>(
  { db }: Transaction,
  { waitMs, tries }: LockRetryPolicy,
  busy: string,
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    await db.execute(sql`savepoint before_lock`)
    // After the savepoint, so that it ends with it.
    await db.execute(sql`select set_config('lock_timeout', ${`${waitMs}ms`}, true)`)
    try {
      const result = await work()
      await db.execute(sql`release savepoint before_lock`)
      return result
    } catch (error) {
      if (!isLockFailure(error)) throw error
      await db.execute(sql`rollback to savepoint before_lock`)
      if (attempt === tries) throw new Unavailable(busy, { cause: error })
      await pauseAfter(attempt)
    }
  }
}
