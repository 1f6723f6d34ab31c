import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, constants, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { giveTo, runAs, serverAccount, serverEnvironment } from '../../src/runtime/embedded/account.ts'
import { findPostmaster, stopPostmaster } from '../../src/runtime/embedded/postmaster.ts'
import { waitFor } from '../../src/runtime/embedded/wait.ts'
import { freePort } from '../../src/runtime/free-port.ts'

/** A PostgreSQL of the system's packages: another version than the bundled one, with all its programs. */
export type InstalledPostgres = Readonly<{
  major: number
  binDir: string
  url: string
  close(): Promise<void>
}>

const packagesDir = '/usr/lib/postgresql'
const oldest = 15
const readyMs = 60_000

/** Where the data of the server stands below the folder of the run. */
export const installedDataDir = (folder: string): string => join(folder, 'installed', 'data')

/** Starts the server of TEST_POSTGRES_BIN, else the oldest supported one of the system's packages; undefined where there is none. */
export async function openInstalledPostgres(folder: string): Promise<InstalledPostgres | undefined> {
  const found = await findInstalled()
  if (!found) return undefined
  const dataDir = installedDataDir(folder)
  const account = await serverAccount(dataDir)
  await mkdir(dataDir, { recursive: true, mode: 0o711 })
  await giveTo(account, dataDir)
  const options = ['--auth=trust', '--username=beacon', '--encoding=UTF8', '--locale=C', '--no-sync']
  await runAs(account, join(found.binDir, 'initdb'), [...options, `--pgdata=${dataDir}`])
  const port = await freePort(0)
  if (port === undefined) throw new Error('no port is free on 127.0.0.1')
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: 200,
    max_prepared_transactions: 4,
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    timezone: 'UTC',
    shared_preload_libraries: 'pg_stat_statements',
  }
  const given = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  await startPostgres(found.binDir, dataDir, given, account)
  const url = `postgresql://beacon@127.0.0.1:${port}/postgres`
  return { ...found, url, close: () => stopPostmaster(dataDir) }
}

/** Starts a server on the data, as the account that owns them. A replica is ready when it can be read. */
export async function startPostgres(
  binDir: string,
  dataDir: string,
  options: readonly string[],
  account: Awaited<ReturnType<typeof serverAccount>>,
  variables: Readonly<Record<string, string>> = {},
): Promise<void> {
  const child = spawn(join(binDir, 'postgres'), ['-D', dataDir, ...options], {
    cwd: '/',
    detached: true,
    stdio: 'ignore',
    env: { ...serverEnvironment(), ...variables },
    ...account.credentials,
  })
  await once(child, 'spawn')
  child.unref()
  const isReady = async () => {
    const status = (await findPostmaster(dataDir))?.status
    return status === 'ready' || status === 'standby' ? true : undefined
  }
  if (!(await waitFor(isReady, readyMs))) throw new Error(`PostgreSQL does not get ready on ${dataDir}`)
}

async function findInstalled(): Promise<{ major: number; binDir: string } | undefined> {
  const chosen = process.env.TEST_POSTGRES_BIN
  if (chosen) return { major: await majorOf(chosen), binDir: chosen }
  const majors = (await namesIn(packagesDir)).map(Number).filter((major) => major >= oldest)
  for (const major of majors.toSorted((a, b) => a - b)) {
    const binDir = join(packagesDir, String(major), 'bin')
    if (await isProgram(join(binDir, 'initdb'))) return { major, binDir }
  }
  return undefined
}

async function majorOf(binDir: string): Promise<number> {
  const { stdout } = await promisify(execFile)(join(binDir, 'postgres'), ['--version'])
  return Number(/ (\d+)/.exec(stdout)?.[1])
}

/** The client's package alone makes the folder too, without a server in it. */
const isProgram = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  )

/** No folder means that none is installed. */
const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => [])
