import { spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Misconfigured, Unavailable } from '../../fault.ts'
import { minute, second } from '../../market/instant.ts'
import { hasCode } from '../error-code.ts'
import { freePort } from '../free-port.ts'
import { giveTo, runAs, serverEnvironment } from './account.ts'
import { type Binaries, findPackage, usableBinaries } from './binaries.ts'
import { dataDirOf, exists, type Home } from './home.ts'
import { findPostmaster, type Postmaster, pidFileOf } from './postmaster.ts'
import { waitFor } from './wait.ts'

export const role = 'beacon'

/** A just killed server may still hold port or memory. */
const retryMs = 10 * second
const mayPass = /lock file|shared memory|in use|TCP\/IP sockets/
const readyMs = 2 * minute
const maxLogBytes = 16 * 1024 * 1024

/** Defaults in the cluster's configuration; operators may change them. */
const initialSettings = {
  max_connections: '200',
  shared_buffers: '128MB',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
}

/** Creates data if needed, starts and waits until ready; on `onlyPort` if given. */
export async function startServer(home: Home, onlyPort?: number): Promise<Postmaster> {
  const binaries = await usableBinaries(home.folder, home.account, await findPackage())
  if (!(await exists(dataDirOf(home.folder)))) await createCluster(home, binaries)
  await refuseOtherVersion(home, binaries)
  const deadline = AbortSignal.timeout(retryMs)
  for (;;) {
    const outcome = await tryToStart(home, binaries, onlyPort)
    if (typeof outcome !== 'string') return outcome
    if (deadline.aborted || !mayPass.test(outcome)) {
      throw new Misconfigured(
        `PostgreSQL does not start (${outcome}): see ${logOf(home)}, or set DATABASE_URL`,
      )
    }
    await setTimeout(100)
  }
}

/** Generated password of the only role. */
export async function readPassword({ folder, account }: Home): Promise<string> {
  const path = passwordFileOf(folder)
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
  }
  if (await exists(dataDirOf(folder))) {
    throw new Misconfigured(`${path} is gone: put it back, or remove ${folder} to begin again without data`)
  }
  const password = randomBytes(24).toString('base64url')
  await writeFile(`${path}.new`, password, { mode: 0o600 })
  await giveTo(account, `${path}.new`)
  await rename(`${path}.new`, path)
  return password
}

const passwordFileOf = (folder: string): string => join(folder, 'password')
const portFileOf = (folder: string): string => join(folder, 'port')
const logOf = ({ folder }: Home): string => join(folder, 'server.log')

/** Atomic: a killed initdb leaves nothing startable. */
async function createCluster({ folder, account }: Home, { initdb }: Binaries): Promise<void> {
  const unfinished = (await readdir(folder)).filter((name) => name.startsWith('data-new-'))
  for (const name of unfinished) await rm(join(folder, name), { recursive: true, maxRetries: 5 })
  const created = join(folder, `data-new-${randomUUID()}`)
  await mkdir(created, { mode: 0o700 })
  await giveTo(account, created)
  const settings = Object.entries(initialSettings).map(([name, value]) => `--set=${name}=${value}`)
  const options = ['--auth=scram-sha-256', '--data-checksums', '--encoding=UTF8', '--locale=C', ...settings]
  const owner = [`--username=${role}`, `--pwfile=${passwordFileOf(folder)}`]
  try {
    await runAs(account, initdb, [...options, ...owner, `--pgdata=${created}`])
  } catch (cause) {
    await rm(created, { recursive: true, force: true })
    const reported =
      cause instanceof Error && 'stderr' in cause ? lastLine(String(cause.stderr)) : String(cause)
    throw new Misconfigured(
      `initdb cannot create the database in ${folder} (${reported}): or set DATABASE_URL`,
      {
        cause,
      },
    )
  }
  await rename(created, dataDirOf(folder))
}

async function refuseOtherVersion({ folder }: Home, { major }: Binaries): Promise<void> {
  const data = (await readFile(join(dataDirOf(folder), 'PG_VERSION'), 'utf8')).trim()
  if (Number(data) === major) return
  throw new Misconfigured(
    `the data in ${folder} is of PostgreSQL ${data} and the bundled server is ${major}: dump it with a server of ` +
      `version ${data} and remove the folder, or set DATABASE_URL to such a server`,
  )
}

/** Returns the server or why it ended. */
async function tryToStart(
  home: Home,
  { postgres }: Binaries,
  onlyPort: number | undefined,
): Promise<Postmaster | string> {
  const dataDir = dataDirOf(home.folder)
  // No server runs (checked in our turn), but PostgreSQL would trust a stale pid file whose pid was reused.
  await rm(pidFileOf(dataDir), { force: true })
  const port = onlyPort === undefined ? await choosePort(home) : await freeAgain(onlyPort)
  const log = await openServerLog(home)
  const { size: logStart } = await log.stat()
  const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=']
  const child = spawn(postgres, ['-D', dataDir, ...settings.flatMap((setting) => ['-c', setting])], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    env: serverEnvironment(),
    ...home.account.credentials,
  })
  let ended = false
  child.once('exit', () => {
    ended = true
  })
  await once(child, 'spawn').finally(() => log.close())
  child.unref()
  const outcome = await waitFor(async () => {
    const found = await findPostmaster(dataDir)
    if (found?.pid === child.pid && found?.status === 'ready') return found
    return ended ? lastLine(await readFrom(logOf(home), logStart)) : undefined
  }, readyMs)
  if (outcome === undefined) {
    throw new Unavailable(`PostgreSQL is still recovering its data: see ${logOf(home)} and try again`)
  }
  return outcome
}

/** Prefers the last port, so that clients find the server again. */
async function choosePort({ folder, account }: Home): Promise<number> {
  const path = portFileOf(folder)
  const last = (await exists(path)) ? Number(await readFile(path, 'utf8')) : 0
  const port = (await freePort(last)) ?? (await freePort(0))
  if (port === undefined) throw new Unavailable('no port is free on 127.0.0.1: try again later')
  await writeFile(path, String(port), { mode: 0o600 })
  await giveTo(account, path)
  return port
}

/** Clients know this port. */
async function freeAgain(port: number): Promise<number> {
  if ((await freePort(port)) !== undefined) return port
  throw new Unavailable(`another program listens on port ${port} of 127.0.0.1: end it`)
}

async function openServerLog(home: Home) {
  const path = logOf(home)
  if ((await exists(path)) && (await stat(path)).size > maxLogBytes) await rename(path, `${path}.old`)
  const log = await open(path, 'a', 0o600)
  await giveTo(home.account, path)
  return log
}

async function readFrom(path: string, start: number): Promise<string> {
  return (await readFile(path)).subarray(start).toString('utf8')
}

/** Replies of a starting server to early clients. */
const toClients = /not yet accepting connections|is starting up|is shutting down|in recovery mode/

/** The last fatal line, else the last line. */
function lastLine(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const ofServer = lines.filter((each) => !toClients.test(each))
  const line =
    ofServer.findLast((each) => /FATAL|PANIC|error:/.test(each)) ?? lines.at(-1) ?? 'it said nothing'
  return line.replace(/^.*?(FATAL|PANIC|error): */, '').trim()
}
