import type { KeyObject } from 'node:crypto'
import { Misconfigured } from '../fault.ts'

/** A key of 32 bytes, and the id that every value encrypted with it begins with. */
export type RingKey = Readonly<{ id: string; key: KeyObject }>

/** The first key writes; all of them read. */
export type KeyRing = Readonly<{ first: RingKey; all: readonly RingKey[] }>

/** The ring of the keys of BEACON_ENCRYPTION_KEYS, in their order. Throws Misconfigured when there is none. */
export function openKeyRing(keys: readonly RingKey[] = []): KeyRing {
  const [first] = keys
  if (!first) {
    throw new Misconfigured(
      'there is no key to encrypt with: make one with beacon keys generate, and set BEACON_ENCRYPTION_KEYS to it',
    )
  }
  return Object.freeze({ first, all: Object.freeze([...keys]) })
}
