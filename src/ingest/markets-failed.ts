import { Fault, type Remedy } from '../fault.ts'

/** Some markets of a source failed, each for a reason of its own: another try helps where it helps one of them. */
export class MarketsFailed extends Fault {
  readonly code = 'MARKETS_FAILED'
  readonly remedy: Remedy

  constructor(message: string, faults: readonly Fault[]) {
    super(message)
    this.remedy = faults.some(({ remedy }) => remedy !== 'give-up') ? 'retry' : 'give-up'
  }
}
