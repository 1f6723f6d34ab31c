import { numeric } from 'drizzle-orm/pg-core'
import type { Decimal } from '../../src/market/decimal.ts'

/** A `decimal(24, 8)`: the driver gives a `numeric` as text, digits and all. */
export const decimal = (name: string) => numeric(name, { precision: 24, scale: 8 }).$type<Decimal>()

/** A `decimal(10, 2)`, as text: a percentage or a ratio. */
export const ratio = (name: string) => numeric(name, { precision: 10, scale: 2 }).$type<Decimal>()
