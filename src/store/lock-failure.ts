import { sqlStateOf } from './transaction.ts'

/** lock_not_available, deadlock_detected */
const lockFailures = new Set(['55P03', '40P01'])

export const isLockFailure = (error: unknown): boolean => lockFailures.has(sqlStateOf(error) ?? '')
