import { day, type Instant, later, plus } from '../market/instant.ts'
import type { EndpointLimit, LimitWindow } from './endpoint.ts'

/** `used`: per window. */
export type Charge = Readonly<
  { used: readonly number[] } & (
    | { decision: 'served' }
    | { decision: 'refused'; retryAt: Instant }
    | { decision: 'banned'; retryAt: Instant }
  )
>

type Account = {
  windows: readonly WindowTally[]
  refusals: Instant[]
  bans: number
  bannedUntil: Instant | undefined
}

const longestBanMs = 3 * day

/** Counts requests per client address. */
export class RequestMeter {
  readonly #limit: EndpointLimit
  readonly #refuses: boolean
  readonly #accounts = new Map<string, Account>()

  /** Counts even if it does not reject. */
  constructor(limit: EndpointLimit, { refuses }: Readonly<{ refuses: boolean }>) {
    this.#limit = limit
    this.#refuses = refuses
  }

  charge(address: string, weight: number, now: Instant): Charge {
    const account = this.#accountOf(address)
    const usedNow = () => account.windows.map((window) => window.usedAt(now))
    if (account.bannedUntil !== undefined && now < account.bannedUntil)
      return { decision: 'banned', used: usedNow(), retryAt: account.bannedUntil }
    const broken = this.#refuses ? account.windows.filter((window) => !window.holds(weight, now)) : []
    for (const window of account.windows)
      if (broken.length === 0 || window.limit.aligned) window.add(weight, now)
    const used = usedNow()
    if (broken.length === 0) return { decision: 'served', used }
    const bannedUntil = this.#banOf(account, broken, now)
    if (bannedUntil) return { decision: 'banned', used, retryAt: bannedUntil }
    const retryAt = broken.map((window) => window.opensFor(weight, now)).reduce(later)
    return { decision: 'refused', used, retryAt }
  }

  /** Undefined without a ban. */
  #banOf(account: Account, broken: readonly WindowTally[], now: Instant): Instant | undefined {
    const { ban } = this.#limit
    if (!ban) return undefined
    const since = Math.min(...broken.map(({ limit }) => windowStart(limit, now)))
    account.refusals = [...account.refusals.filter((at) => at > since), now]
    if (account.refusals.length <= ban.afterRefusals) return undefined
    account.bannedUntil = plus(now, Math.min(ban.ms * 2 ** account.bans, longestBanMs))
    account.bans += 1
    return account.bannedUntil
  }

  #accountOf(address: string): Account {
    const found = this.#accounts.get(address)
    if (found) return found
    const windows = this.#limit.windows.map((limit) => new WindowTally(limit))
    const made: Account = { windows, refusals: [], bans: 0, bannedUntil: undefined }
    this.#accounts.set(address, made)
    return made
  }
}

/** Exclusive. */
const windowStart = ({ aligned, perMs }: LimitWindow, now: Instant): number =>
  aligned ? now - (now % perMs) - 1 : now - perMs

/** Use of one window by one address. */
class WindowTally {
  readonly limit: LimitWindow
  /** Oldest first, merged per ms. */
  #entries: { at: Instant; points: number }[] = []
  #used = 0

  constructor(limit: LimitWindow) {
    this.limit = limit
  }

  usedAt(now: Instant): number {
    this.#forget(now)
    return this.#used
  }

  holds(weight: number, now: Instant): boolean {
    return this.usedAt(now) + weight <= this.limit.points
  }

  add(points: number, now: Instant): void {
    this.#used += points
    const newest = this.#entries.at(-1)
    if (newest?.at === now) newest.points += points
    else this.#entries.push({ at: now, points })
  }

  /** When this weight fits again. */
  opensFor(weight: number, now: Instant): Instant {
    const { aligned, perMs, points } = this.limit
    if (aligned) return plus(now, perMs - (now % perMs))
    let left = this.usedAt(now)
    for (const { at, points: leaving } of this.#entries) {
      left -= leaving
      if (left + weight <= points) return plus(at, perMs)
    }
    return plus(now, perMs)
  }

  #forget(now: Instant): void {
    const start = windowStart(this.limit, now)
    const kept = this.#entries.findIndex(({ at }) => at > start)
    const gone = this.#entries.splice(0, kept === -1 ? this.#entries.length : kept)
    for (const { points } of gone) this.#used -= points
  }
}
