import { Fault, type Remedy } from '../fault.ts'

/** Retryable if any of the faults is. */
export class MarketsFailed extends Fault {
  readonly code = 'MARKETS_FAILED'
  readonly remedy: Remedy

  constructor(message: string, faults: readonly Fault[]) {
    super(message)
    this.remedy = faults.some(({ remedy }) => remedy !== 'give-up') ? 'retry' : 'give-up'
  }
}
