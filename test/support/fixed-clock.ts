import type { Clock } from '../../src/runtime/clock.ts'
import { at } from './at.ts'

/** A clock that stands at one instant. */
export const fixedClock = (iso: string): Clock => ({ now: () => at(iso) })
