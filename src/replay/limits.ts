import { type Instant, minute, plus, toInstant } from '../market/instant.ts'

/** How much one client address may ask in a calendar minute, and what happens when it goes on asking. */
export type RequestLimit = Readonly<{
  weightPerMinute: number
  /** Requests refused with 429 in one minute before the address is banned. */
  refusalsBeforeBan: number
  /** The length of the first ban; each further one is twice as long, three days at the most. */
  banMs: number
}>

/** What one request came to. `used` is the weight of the running minute. */
export type Charge = Readonly<
  { used: number } & (
    | { verdict: 'served' }
    | { verdict: 'refused'; retryAt: Instant }
    | { verdict: 'banned'; retryAt: Instant }
  )
>

type Account = { minuteOpen: number; used: number; refusals: number; bans: number; bannedUntil: number }

const longestBanMs = 3 * 24 * 60 * minute

/** Counts what each client address has asked for, by the exchange's own clock. */
export class RequestMeter {
  readonly #limit: RequestLimit | undefined
  readonly #accounts = new Map<string, Account>()

  /** Without a limit everything is counted and nothing refused. */
  constructor(limit: RequestLimit | undefined) {
    this.#limit = limit
  }

  charge(address: string, weight: number, now: Instant): Charge {
    const account = this.#accountOf(address, now)
    if (now < account.bannedUntil) return banned(account)
    account.used += weight
    if (!this.#limit || account.used <= this.#limit.weightPerMinute) {
      return { verdict: 'served', used: account.used }
    }
    account.refusals += 1
    if (account.refusals > this.#limit.refusalsBeforeBan) {
      account.bannedUntil = now + Math.min(this.#limit.banMs * 2 ** account.bans, longestBanMs)
      account.bans += 1
      return banned(account)
    }
    return { verdict: 'refused', used: account.used, retryAt: toInstant(account.minuteOpen + minute) }
  }

  #accountOf(address: string, now: Instant): Account {
    const minuteOpen = plus(now, -(now % minute))
    const account = this.#accounts.get(address) ?? {
      minuteOpen,
      used: 0,
      refusals: 0,
      bans: 0,
      bannedUntil: 0,
    }
    if (account.minuteOpen !== minuteOpen) Object.assign(account, { minuteOpen, used: 0, refusals: 0 })
    this.#accounts.set(address, account)
    return account
  }
}

const banned = ({ used, bannedUntil }: Account): Charge => ({
  verdict: 'banned',
  used,
  retryAt: toInstant(bannedUntil),
})
