/** What the one who failed knows about trying again. */
export type Remedy = 'retry' | 'wait' | 'give-up'

/**
 * A failure that was foreseen: one sentence for the reader, a code to search for, and whether trying again can
 * help. Any other error is a bug and stays as loud as it was.
 */
export abstract class Fault extends Error {
  abstract readonly code: string
  abstract readonly remedy: Remedy

  override get name(): string {
    return this.constructor.name
  }
}

/** The other side did not answer, or answered that it cannot right now. */
export class Unavailable extends Fault {
  readonly code = 'UNAVAILABLE'
  readonly remedy = 'retry'
  /** Where the other side is a source. */
  readonly source: string | undefined

  constructor(message: string, { source, ...options }: ErrorOptions & { source?: string } = {}) {
    super(message, options)
    this.source = source
  }
}

/**
 * The source answered with an error that nobody here knows. It may concern one market or all, and may pass: it is retried
 * a bounded number of times, and nothing is concluded from it.
 */
export class UnknownError extends Fault {
  readonly code = 'UNKNOWN_ERROR'
  readonly remedy = 'retry'
}

/** An answer that is not what the source's contract says. Asked again, it is usually whole. */
export class Malformed extends Fault {
  readonly code = 'MALFORMED'
  readonly remedy = 'retry'
}

/** The source told us to stop asking for a while. */
export class RateLimited extends Fault {
  readonly code = 'RATE_LIMITED'
  readonly remedy = 'wait'
  readonly waitMs: number

  constructor(message: string, waitMs: number, options?: ErrorOptions) {
    super(message, options)
    this.waitMs = waitMs
  }
}

/** The source does not want to hear of our address for a while: we went on asking, or its firewall says so. */
export class Banned extends RateLimited {}

/** The host does not serve the region of our address; another one of the source may. */
export class Blocked extends Fault {
  readonly code = 'BLOCKED'
  readonly remedy = 'give-up'
}

/** The source understood the question and says no: asking again gives the same answer. */
export class Refused extends Fault {
  readonly code = 'REFUSED'
  readonly remedy = 'give-up'
}

/** The range asked for begins before anything that the source has of the market: a later beginning can be had. */
export class BeforeHistory extends Fault {
  readonly code = 'BEFORE_HISTORY'
  readonly remedy = 'give-up'
}

/** The range asked for is longer than the source allows in one request: a shorter one can be had. */
export class RangeTooLong extends Fault {
  readonly code = 'RANGE_TOO_LONG'
  readonly remedy = 'give-up'
}

/** The market asked for does not exist on its source. */
export class UnknownMarket extends Fault {
  readonly code = 'UNKNOWN_MARKET'
  readonly remedy = 'give-up'
}

/** Some markets of a run failed and the others were loaded: `outcome` is what was done. */
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
    // Another try helps where it helps one of them.
    this.remedy = faults.some(({ remedy }) => remedy !== 'give-up') ? 'retry' : 'give-up'
  }
}

/** Arguments, configuration or a payload that cannot be used; the message names the remedy. */
export class InvalidInput extends Fault {
  readonly code = 'INVALID_INPUT'
  readonly remedy = 'give-up'
}

/** A thing around us is not as it must be (an engine, a port, a folder); the message names the remedy. */
export class Misconfigured extends Fault {
  readonly code = 'MISCONFIGURED'
  readonly remedy = 'give-up'
}

/** The work was told to stop before it was done; what was committed stays. */
export class Aborted extends Fault {
  readonly code = 'ABORTED'
  readonly remedy = 'retry'
}

/** Whether a failure is the whole source's trouble, or ours, and not that of one of its markets alone. */
export const concernsAll = (fault: Fault): boolean =>
  [RateLimited, Unavailable, Blocked, Aborted].some((kind) => fault instanceof kind)
