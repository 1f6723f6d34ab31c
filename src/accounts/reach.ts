import type { Pool } from 'pg'
import type { KeyRing } from '../encryption/key-ring.ts'
import type { Clock } from '../runtime/clock.ts'

/** What the functions for accounts reach: the database, the keys to what is encrypted in it, and the time. */
export type Deps = Readonly<{ pool: Pool; ring: KeyRing; clock: Clock }>
