import type { Pool } from 'pg'
import type { KeyRing } from '../encryption/key-ring.ts'
import type { Clock } from '../runtime/clock.ts'

export type Deps = Readonly<{ pool: Pool; ring: KeyRing; clock: Clock }>
