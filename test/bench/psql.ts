import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findProgram } from '../support/redis.ts'

const debianFolder = '/usr/lib/postgresql'

/** psql of the path, or the newest that Debian's packages installed. Throws where there is none. */
export async function findPsql(): Promise<string> {
  const found = await findProgram('psql')
  if (found) return found
  const versions = await readdir(debianFolder).catch(() => [])
  const [newest] = versions.toSorted((a, b) => Number(b) - Number(a))
  if (newest === undefined) throw new Error('there is no psql to compare with: install postgresql-client')
  return join(debianFolder, newest, 'bin', 'psql')
}

/** Runs commands of psql one after another in one session, in one transaction. */
export async function runPsql(psql: string, url: string, commands: readonly string[]): Promise<void> {
  const options = ['--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', '--single-transaction']
  await promisify(execFile)(psql, [url, ...options, ...commands.flatMap((command) => ['--command', command])])
}
