import { DatabaseError, type QueryArrayConfig } from 'pg'
import { InvalidInput, Misconfigured } from '../../fault.ts'
import { openClient } from '../connection/open-client.ts'

/** Values as PostgreSQL's text. */
export type StatementResult = Readonly<{
  columns: readonly string[]
  rows: readonly (readonly (string | null)[])[]
  /** `SELECT`, `UPDATE` … and its row count. */
  command: string
  count: number
}>

type RunOptions = Readonly<{ mayWrite: boolean; connectionTimeoutMs: number; signal: AbortSignal }>

const readOnlyTransaction = '25006'
const insufficientPrivilege = '42501'

/**
 * Runs one statement on its own connection, read-only unless `mayWrite`. Throws InvalidInput if the server rejects it.
 */
export async function runStatement(
  url: string,
  statement: string,
  { mayWrite, connectionTimeoutMs, signal }: RunOptions,
): Promise<StatementResult> {
  const client = await openClient(url, { applicationName: 'beacon sql', connectionTimeoutMs })
  const stop = () => void client.end()
  signal.addEventListener('abort', stop)
  try {
    // After its first query a transaction cannot become read-write again.
    if (!mayWrite) await client.query('begin transaction read only; select 1')
    const result = await client.query<(string | null)[]>(oneStatement(statement))
    if (!mayWrite) await client.query('rollback')
    const columns = result.fields.map(({ name }) => name)
    return { columns, rows: result.rows, command: result.command, count: result.rowCount ?? 0 }
  } catch (error) {
    throw explained(error)
  } finally {
    signal.removeEventListener('abort', stop)
    await client.end()
  }
}

/** The extended protocol allows a single statement, so none can end the transaction first. */
const oneStatement = (text: string): QueryArrayConfig & { queryMode: 'extended' } => ({
  text,
  rowMode: 'array',
  queryMode: 'extended',
  types: { getTypeParser: () => (value: string) => value },
})

function explained(error: unknown): unknown {
  if (!(error instanceof DatabaseError)) return error
  if (error.code === readOnlyTransaction)
    return new InvalidInput(`${error.message}: add --write to change data`, { cause: error })
  if (error.code === insufficientPrivilege)
    return new Misconfigured(`the login of DATABASE_URL may not do that: ${error.message}`, { cause: error })
  const hint = error.hint === undefined ? '' : ` ${error.hint}`
  return new InvalidInput(`PostgreSQL rejected the statement: ${error.message}.${hint}`, { cause: error })
}
