import { Fault } from '../fault.ts'

/** An encrypted value that the key ring cannot read. The message names its table, column and row, never the value. */
export class Unreadable extends Fault {
  readonly code = 'UNREADABLE'
  readonly remedy = 'give-up'
}
