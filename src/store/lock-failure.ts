import { sqlStateOf } from './transaction.ts'

/** Of a lock that was not granted in time, and of a deadlock in which this session gave way. */
const lockFailures = new Set(['55P03', '40P01'])

export const isLockFailure = (error: unknown): boolean => lockFailures.has(sqlStateOf(error) ?? '')
