import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import { giveTo, runAs, serverAccount } from '../../src/runtime/embedded/account.ts'
import { stopPostmaster } from '../../src/runtime/embedded/postmaster.ts'
import { freePort } from '../../src/runtime/free-port.ts'
import { startPostgres } from './installed-postgres.ts'
import { memoryFolder } from './memory-folder.ts'

/** One of two servers, of which one streams to the other. */
type PairedServer = Readonly<{
  port: number
  url(database?: string): string
  query(statement: string): Promise<unknown[]>
  /** Ends it at once, as a power failure does. */
  stop(): Promise<void>
}>

export type PostgresPair = Readonly<{
  primary: PairedServer
  replica: PairedServer
  /** Both, the replica first. */
  url(database: string): string
  close(): Promise<void>
}>

const settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '60',
  fsync: 'off',
  timezone: 'UTC',
}
const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])

/** A primary and its streaming replica, with the programs of the system's packages. */
export async function openPostgresPair(binDir: string): Promise<PostgresPair> {
  const folder = await mkdtemp(join(await memoryFolder(), `beacon-test-${process.pid}-`))
  await chmod(folder, 0o711)
  const [first, second] = [join(folder, 'primary'), join(folder, 'replica')]
  const account = await serverAccount(first)
  const [port, replicaPort] = [(await freePort(0)) ?? 0, (await freePort(0)) ?? 0]
  for (const dir of [first, second]) {
    await mkdir(dir, { mode: 0o700 })
    await giveTo(account, dir)
  }
  const initial = ['--auth=trust', '--username=beacon', '--encoding=UTF8', '--locale=C', '--no-sync']
  await runAs(account, join(binDir, 'initdb'), [...initial, `--pgdata=${first}`])
  await startPostgres(binDir, first, [...options, '-c', `port=${port}`], account)
  const source = ['-h', '127.0.0.1', '-p', String(port), '-U', 'beacon', '-D', second]
  await runAs(account, join(binDir, 'pg_basebackup'), [...source, '-R', '-c', 'fast', '--no-sync'])
  await startPostgres(binDir, second, [...options, '-c', `port=${replicaPort}`], account)
  const [primary, replica] = [serverAt(port, first), serverAt(replicaPort, second)]
  return {
    primary,
    replica,
    url: (database) =>
      `postgresql://beacon@127.0.0.1:${replicaPort},127.0.0.1:${port}/${database}?target_session_attrs=read-write`,
    close: async () => {
      await Promise.all([primary.stop(), replica.stop()])
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function serverAt(port: number, dataDir: string): PairedServer {
  const url = (database = 'postgres') => `postgresql://beacon@127.0.0.1:${port}/${database}`
  return {
    port,
    url,
    query: async (statement) => {
      const client = new Client({ connectionString: url() })
      await client.connect()
      try {
        return (await client.query(statement)).rows
      } finally {
        await client.end()
      }
    },
    stop: () => stopPostmaster(dataDir),
  }
}
