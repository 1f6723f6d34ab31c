import { Fault } from '../fault.ts'

/** An encrypted value that the key ring cannot read. The message names its table, column and row, never the value. */
export class Unreadable extends Fault {
  readonly code = 'UNREADABLE'
  readonly remedy = 'give-up'
}

/** The ring lacks the key, and would read the value with it. */
export class MissingKey extends Unreadable {
  readonly keyId: string

  constructor(message: string, keyId: string) {
    super(message)
    this.keyId = keyId
  }
}
