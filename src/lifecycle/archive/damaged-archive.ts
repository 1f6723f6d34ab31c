import { Fault } from '../../fault.ts'

/** A file of the archive is not what was written: it is lost, or its bytes have changed. */
export class DamagedArchive extends Fault {
  readonly code = 'DAMAGED_ARCHIVE'
  readonly remedy = 'give-up'
}
