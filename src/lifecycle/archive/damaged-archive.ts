import { Fault } from '../../fault.ts'

/** An archive file is missing or its bytes changed. */
export class DamagedArchive extends Fault {
  readonly code = 'DAMAGED_ARCHIVE'
  readonly remedy = 'give-up'
}
