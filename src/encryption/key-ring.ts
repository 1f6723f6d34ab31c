import type { KeyObject } from 'node:crypto'
import { Misconfigured } from '../fault.ts'

/** A 32-byte key and the id that prefixes its values. */
export type RingKey = Readonly<{ id: string; key: KeyObject }>

/** The first encrypts, all decrypt. */
export type KeyRing = Readonly<{ first: RingKey; all: readonly RingKey[] }>

/** From BEACON_ENCRYPTION_KEYS. Throws Misconfigured if empty. */
export function openKeyRing(keys: readonly RingKey[] = []): KeyRing {
  const [first] = keys
  if (!first) {
    throw new Misconfigured(
      'there is no key to encrypt with: make one with beacon keys generate, and set BEACON_ENCRYPTION_KEYS to it',
    )
  }
  return Object.freeze({ first, all: Object.freeze([...keys]) })
}
