import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { giveTo, serverAccount } from '../../src/runtime/embedded/account.ts'
import { waitFor } from '../../src/runtime/embedded/wait.ts'
import { freePort } from '../../src/runtime/free-port.ts'
import { findProgram } from './redis.ts'

/** PgBouncer in transaction mode: a connection to the server is a client's for one transaction. */
export type Pgbouncer = Readonly<{
  /** The URL of the same database, through PgBouncer. */
  urlTo(databaseUrl: string): string
  close(): Promise<void>
}>

const program = await findProgram('pgbouncer')

export const hasPgbouncer = program !== undefined
if (!hasPgbouncer) process.stderr.write('no pgbouncer was found: the tests behind it are left out\n')

/** Starts a PgBouncer in front of the cluster, with so many connections of its own to each database. */
export async function openPgbouncer(clusterUrl: string, poolSize: number): Promise<Pgbouncer> {
  if (program === undefined) throw new Error('pgbouncer is not installed')
  const port = await freePort(0)
  if (port === undefined) throw new Error('no port is free on 127.0.0.1')
  // Named as the folders of a run, so that the next run removes what a killed one left.
  const dir = await mkdtemp(join(tmpdir(), `beacon-test-${process.pid}-pgbouncer-`))
  const file = join(dir, 'pgbouncer.ini')
  // It refuses to run as root, like PostgreSQL.
  const account = await serverAccount(dir)
  await writeFile(file, configuration(clusterUrl, port, poolSize), { mode: 0o600 })
  await giveTo(account, file)
  // Another account must be able to come in.
  await chmod(dir, 0o711)
  // The shell ends the server when its input ends: that is when we say so, and also when this process is killed.
  const script = '"$@" & server=$!; cat; kill "$server"; wait "$server"'
  const shell = spawn('/bin/sh', ['-c', script, 'sh', program, '--quiet', file], {
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
    ...account.credentials,
  })
  const close = async () => {
    const ended = once(shell, 'exit')
    shell.stdin.end()
    await ended
    await rm(dir, { recursive: true })
  }
  if (!(await waitFor(() => answers(port), 10_000))) {
    await close()
    throw new Error(`pgbouncer does not answer on port ${port}`)
  }
  return { urlTo: (databaseUrl) => through(databaseUrl, port), close }
}

function configuration(clusterUrl: string, port: number, poolSize: number): string {
  const { hostname, port: serverPort, username, password } = new URL(clusterUrl)
  const quoted = (text: string) => `'${decodeURIComponent(text).replaceAll("'", "''")}'`
  // It takes an empty text in quotes for a quote.
  const login = `user=${quoted(username)}${password === '' ? '' : ` password=${quoted(password)}`}`
  return `
[databases]
* = host=${hostname} port=${serverPort} ${login}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${poolSize}
`
}

function through(databaseUrl: string, port: number): string {
  const url = new URL(databaseUrl)
  url.host = `127.0.0.1:${port}`
  return url.href
}

async function answers(port: number): Promise<true | undefined> {
  const socket = createConnection({ host: '127.0.0.1', port })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    // Not yet: the one who waits looks again, and tells when it takes too long.
    return undefined
  } finally {
    socket.destroy()
  }
}
