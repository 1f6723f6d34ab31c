import type { Pool } from 'pg'
import type { NewUser } from '../../src/accounts/users.ts'
import type { KeyRing } from '../../src/encryption/key-ring.ts'
import { ringOf } from '../encryption/rings.ts'
import { fixedClock } from '../support/fixed-clock.ts'

/** What the account functions are handed, at a fixed time. */
export const reachOf = (pool: Pool, ring: KeyRing = ringOf('new', 'old')) => ({
  pool,
  ring,
  clock: fixedClock('2024-05-17T12:00:00Z'),
})

let made = 0

/** A user to register, with an address of their own. */
export function aUser(more: Partial<NewUser> = {}): NewUser {
  made += 1
  return { email: `user-${made}@example.org`, passwordHash: '$argon2id$hash', ...more }
}
