import { execFile } from 'node:child_process'
import { chown, stat } from 'node:fs/promises'
import { promisify } from 'node:util'
import { Misconfigured } from '../../fault.ts'
import { hasCode } from '../error-code.ts'

const execute = promisify(execFile)

/** Operating system user of the server; without credentials the current one. */
export type Account = Readonly<{
  name: string
  credentials: Readonly<{ uid: number; gid: number }> | Readonly<Record<string, never>>
}>

export const isRoot = (): boolean => process.getuid?.() === 0

export async function serverAccount(dataDir: string): Promise<Account> {
  if (!isRoot()) return { name: `user ${process.getuid?.()}`, credentials: {} }
  const owner = await ownerOf(dataDir)
  if (owner && owner.uid !== 0) return { name: `user ${owner.uid}`, credentials: owner }
  return (await findPostgresUser()) ?? (await createPostgresUser())
}

/** Clean: the caller's PGDATA, PGPORT or PGOPTIONS are for other servers. */
export const serverEnvironment = (): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH ?? '/usr/bin:/bin',
  LC_ALL: 'C',
  TZ: 'UTC',
})

export async function runAs({ credentials }: Account, program: string, args: string[]): Promise<string> {
  const { stdout } = await execute(program, args, { cwd: '/', env: serverEnvironment(), ...credentials })
  return stdout
}

/** Whether the account can enter the folder. */
export async function canEnter(account: Account, folder: string): Promise<boolean> {
  try {
    await runAs(account, '/bin/sh', ['-c', 'cd "$1"', 'sh', folder])
    return true
  } catch (error) {
    // A numeric code is the shell's; a text means the account could not be changed.
    if (error instanceof Error && 'code' in error && typeof error.code === 'number') return false
    throw new Misconfigured(
      `PostgreSQL refuses to run as root and no program can be run as ${account.name} here: ` +
        'run as an ordinary user, or set DATABASE_URL to a server of your own',
      { cause: error },
    )
  }
}

export async function giveTo({ credentials }: Account, path: string): Promise<void> {
  if (typeof credentials.uid === 'number') await chown(path, credentials.uid, credentials.gid)
}

async function ownerOf(path: string): Promise<{ uid: number; gid: number } | undefined> {
  try {
    const { uid, gid } = await stat(path)
    return { uid, gid }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

async function findPostgresUser(): Promise<Account | undefined> {
  try {
    const [uid, gid] = await Promise.all(
      ['-u', '-g'].map(async (which) => Number((await execute('id', [which, 'postgres'])).stdout)),
    )
    return uid && gid ? { name: 'postgres', credentials: { uid, gid } } : undefined
  } catch (error) {
    // id exits with 1 for an unknown user.
    if (hasCode(error, '1')) return undefined
    throw error
  }
}

async function createPostgresUser(): Promise<Account> {
  const options = ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin']
  try {
    await execute('useradd', [...options, 'postgres'])
  } catch (error) {
    // Another process may have created it.
    const account = await findPostgresUser()
    if (account) return account
    throw new Misconfigured(
      'PostgreSQL refuses to run as root and the user postgres cannot be created: ' +
        'create it, run as an ordinary user, or set DATABASE_URL to a server of your own',
      { cause: error },
    )
  }
  const account = await findPostgresUser()
  if (account) return account
  throw new Misconfigured('the user postgres was created but cannot be found: run as an ordinary user')
}
