import type { FaultPlan } from '../faults.ts'
import type { InjectedFault } from './injected-fault.ts'
import { outageOf2018 } from './outage.ts'

/** Need more than a name. */
type Particular = 'error-answer' | 'value' | 'missing-column' | 'revision'

export type UsualFault = Exclude<InjectedFault['name'], Particular>

/** Need only a name. */
export const usualFaults: Readonly<{ [Name in UsualFault]: Extract<InjectedFault, { name: Name }> }> = {
  'rate-limited': { name: 'rate-limited', retryAfterSeconds: 5 },
  banned: { name: 'banned', retryAfterSeconds: 120 },
  'server-error': { name: 'server-error', status: 503 },
  firewall: { name: 'firewall' },
  'region-refused': { name: 'region-refused' },
  html: { name: 'html' },
  // A documentation address.
  redirect: { name: 'redirect', to: 'http://192.0.2.1/' },
  'no-rows': { name: 'no-rows' },
  'object-for-rows': { name: 'object-for-rows' },
  'duplicate-row': { name: 'duplicate-row', row: 0 },
  'conflicting-duplicate': { name: 'conflicting-duplicate', row: 0 },
  disorder: { name: 'disorder' },
  hole: { name: 'hole', row: 1, rows: 2 },
  'one-row-short': { name: 'one-row-short' },
  'one-row-more': { name: 'one-row-more' },
  'future-candle': { name: 'future-candle' },
  'open-candle': { name: 'open-candle' },
  'unaligned-time': { name: 'unaligned-time', row: 0, byMs: 1 },
  'seconds-for-milliseconds': { name: 'seconds-for-milliseconds' },
  'high-below-low': { name: 'high-below-low', row: 0 },
  'zero-price': { name: 'zero-price' },
  'null-price': { name: 'null-price' },
  'far-price': { name: 'far-price' },
  'halted-market': { name: 'halted-market' },
  'growing-duplicate': { name: 'growing-duplicate', row: 0 },
  outage: { name: 'outage', ...outageOf2018 },
  'ignored-start': { name: 'ignored-start' },
  'missing-file': { name: 'missing-file' },
  'wrong-checksum': { name: 'wrong-checksum' },
  'wrong-month': { name: 'wrong-month' },
  cut: { name: 'cut', atByte: 100 },
  reset: { name: 'reset', when: 'within-body' },
  stall: { name: 'stall' },
  drip: { name: 'drip', bytes: 100, everyMs: 100 },
  'too-long-length': { name: 'too-long-length', bytes: 10 },
  'huge-body': { name: 'huge-body', megabytes: 1_024, gzip: true },
}

export const isUsualFault = (name: string): name is UsualFault => Object.hasOwn(usualFaults, name)

/** Injects each fault in turn, one every `every` requests. */
export const inTurn = (names: readonly UsualFault[], every: number): FaultPlan =>
  names.map((name, index) => ({
    when: { every: every * names.length, from: every * (index + 1) },
    fault: usualFaults[name],
  }))
