import { second } from '../market/instant.ts'

/** BullMQ's lock, renewed at half its time, and how often stalled jobs are looked for. */
export const lockDurationMs = 30 * second
export const stalledIntervalMs = 15 * second
