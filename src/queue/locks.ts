import { second } from '../market/instant.ts'

/** BullMQ's lock, renewed at half its time; interval of the check for stalled jobs. */
export const lockDurationMs = 30 * second
export const stalledIntervalMs = 15 * second
