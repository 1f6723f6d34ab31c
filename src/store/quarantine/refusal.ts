import { DatabaseError } from 'pg'
import { type Fault, Misconfigured, Unavailable } from '../../fault.ts'

const remedies: Readonly<Record<string, string>> = {
  '25006':
    'the database only reads: DATABASE_URL must name the primary, with default_transaction_read_only off',
  '28000': 'PostgreSQL refuses the login: check the user in DATABASE_URL',
  '28P01': 'PostgreSQL refuses the password in DATABASE_URL: correct it',
  '3D000': 'the database does not exist: create it, or change its name in DATABASE_URL',
}

const tooManyConnections = '53300'

/** The server's refusal of a session, with its remedy; undefined for other errors. */
export function refusalOf(error: unknown): Fault | undefined {
  if (!(error instanceof DatabaseError) || error.code === undefined) return undefined
  if (error.code === tooManyConnections) {
    return new Unavailable(
      `PostgreSQL takes no more connections (${error.message}): raise its max_connections, or lower database.maxConnections`,
      { cause: error },
    )
  }
  const message = remedies[error.code]
  return message === undefined ? undefined : new Misconfigured(message, { cause: error })
}
