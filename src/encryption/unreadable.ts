import { Fault } from '../fault.ts'

export class Unreadable extends Fault {
  readonly code = 'UNREADABLE'
  readonly remedy = 'give-up'
}

/** The ring lacks the value's key. */
export class MissingKey extends Unreadable {
  readonly keyId: string

  constructor(message: string, keyId: string) {
    super(message)
    this.keyId = keyId
  }
}
