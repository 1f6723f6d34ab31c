import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Fault, Misconfigured } from '../../fault.ts'
import { hasCode } from '../../runtime/error-code.ts'
import { passwordOf, withoutPassword } from './url-password.ts'

/** psql printed its error. */
class PsqlFailed extends Fault {
  readonly code = 'PSQL_FAILED'
  readonly remedy = 'give-up'
}

/** The password goes through the environment, as arguments are public. Throws Misconfigured without psql. */
export async function openPsql(url: string, mayWrite: boolean): Promise<void> {
  const password = passwordOf(url)
  const env = {
    ...process.env,
    PGOPTIONS: `-c timezone=UTC${mayWrite ? '' : ' -c default_transaction_read_only=on'}`,
    PGAPPNAME: 'beacon sql',
    ...(password === undefined ? {} : { PGPASSWORD: password }),
  }
  // Ctrl-C cancels psql's query and reaches us too.
  const listeners = process.listeners('SIGINT')
  process.removeAllListeners('SIGINT').on('SIGINT', ignore)
  try {
    const psql = spawn('psql', [withoutPassword(url)], { stdio: 'inherit', env })
    const [code] = await Promise.race([
      once(psql, 'close'),
      once(psql, 'error').then(([error]) => Promise.reject(error)),
    ])
    if (code !== 0) throw new PsqlFailed(`psql ended with exit status ${code}`)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
    throw new Misconfigured(
      'psql is not installed: install the client of PostgreSQL, or run one statement, such as beacon sql "select count(*) from ohlcv_data"',
      { cause: error },
    )
  } finally {
    process.off('SIGINT', ignore)
    for (const listener of listeners) process.on('SIGINT', listener)
  }
}

const ignore = (): void => undefined
