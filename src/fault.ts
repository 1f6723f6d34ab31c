/** Whether a retry may help. */
export type Remedy = 'retry' | 'wait' | 'give-up'

/** An expected failure with a message, a code and a remedy. Any other error is a bug. */
export abstract class Fault extends Error {
  abstract readonly code: string
  abstract readonly remedy: Remedy

  override get name(): string {
    return this.constructor.name
  }
}

/** The other side did not answer, or cannot now. */
export class Unavailable extends Fault {
  readonly code = 'UNAVAILABLE'
  readonly remedy = 'retry'
  /** Set if it is a source. */
  readonly source: string | undefined

  constructor(message: string, { source, ...options }: ErrorOptions & { source?: string } = {}) {
    super(message, options)
    this.source = source
  }
}

/** An unknown error of a source: retried a bounded number of times, without conclusions. */
export class UnknownError extends Fault {
  readonly code = 'UNKNOWN_ERROR'
  readonly remedy = 'retry'
}

/** An unexpected answer; usually fine when requested again. */
export class Malformed extends Fault {
  readonly code = 'MALFORMED'
  readonly remedy = 'retry'
}

/** Rate limited by the source. */
export class RateLimited extends Fault {
  readonly code = 'RATE_LIMITED'
  readonly remedy = 'wait'
  readonly waitMs: number

  constructor(message: string, waitMs: number, options?: ErrorOptions) {
    super(message, options)
    this.waitMs = waitMs
  }
}

/** The source blocks our address temporarily. */
export class Banned extends RateLimited {}

/** The host does not serve our region; another may. */
export class Blocked extends Fault {
  readonly code = 'BLOCKED'
  readonly remedy = 'give-up'
}

/** Rejected for good: a retry would give the same answer. */
export class Refused extends Fault {
  readonly code = 'REFUSED'
  readonly remedy = 'give-up'
}

/** The range begins before the market's history. */
export class BeforeHistory extends Fault {
  readonly code = 'BEFORE_HISTORY'
  readonly remedy = 'give-up'
}

/** The range exceeds the source's limit per request. */
export class RangeTooLong extends Fault {
  readonly code = 'RANGE_TOO_LONG'
  readonly remedy = 'give-up'
}

/** Unknown to its source. */
export class UnknownMarket extends Fault {
  readonly code = 'UNKNOWN_MARKET'
  readonly remedy = 'give-up'
}

/** Some markets failed, the others were loaded; `outcome` has the result. */
export class PartlyFailed extends Fault {
  readonly code = 'PARTLY_FAILED'
  readonly remedy: Remedy
  readonly outcome: Readonly<Record<string, unknown>>

  constructor(
    message: string,
    { outcome, faults }: Readonly<{ outcome: Readonly<Record<string, unknown>>; faults: readonly Fault[] }>,
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.outcome = outcome
    // Retryable if any of the faults is.
    this.remedy = faults.some(({ remedy }) => remedy !== 'give-up') ? 'retry' : 'give-up'
  }
}

/** Invalid arguments, configuration or payload; the message has the remedy. */
export class InvalidInput extends Fault {
  readonly code = 'INVALID_INPUT'
  readonly remedy = 'give-up'
}

/** The environment (engine, port, folder) is wrong; the message has the remedy. */
export class Misconfigured extends Fault {
  readonly code = 'MISCONFIGURED'
  readonly remedy = 'give-up'
}

/** Stopped early; committed work stays. */
export class Aborted extends Fault {
  readonly code = 'ABORTED'
  readonly remedy = 'retry'
}

/** Affects the whole source or us, not one market. */
export const concernsAll = (fault: Fault): boolean =>
  [RateLimited, Unavailable, Blocked, Aborted].some((kind) => fault instanceof kind)
