import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { giveTo, runAs, serverAccount } from '../../src/runtime/embedded/account.ts'
import { findPackage, usableBinaries } from '../../src/runtime/embedded/binaries.ts'
import { stopPostmaster } from '../../src/runtime/embedded/postmaster.ts'
import { freePort } from '../../src/runtime/free-port.ts'
import { openFakedClock } from '../support/faked-clock.ts'
import { startPostgres } from '../support/installed-postgres.ts'

/** The bundled PostgreSQL, by a clock that is set from outside. */
export type SimulatedServer = Readonly<{
  url: string
  setClock(aheadSeconds: number): Promise<void>
  restart(): Promise<void>
  close(): Promise<void>
}>

export async function openSimulatedServer(folder: string, aheadSeconds: number): Promise<SimulatedServer> {
  const clock = await openFakedClock(folder)
  await clock.set(aheadSeconds)
  const dataDir = join(folder, 'data')
  await mkdir(dataDir, { recursive: true, mode: 0o711 })
  const account = await serverAccount(dataDir)
  await giveTo(account, dataDir)
  const { initdb, postgres } = await usableBinaries(join(folder, 'programs'), account, await findPackage())
  const cluster = ['--auth=trust', '--username=beacon', '--no-sync', '--locale=C', '--encoding=UTF8']
  await runAs(account, initdb, [...cluster, `--pgdata=${dataDir}`])
  const port = await freePort(0)
  const settings = [
    ...[`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off'],
    // The alarm of a login comes even after it succeeded; in its handler the faked clock may be wrong.
    'authentication_timeout=10min',
  ]
  const options = settings.flatMap((setting) => ['-c', setting])
  const start = () => startPostgres(dirname(postgres), dataDir, options, account, clock.variables)
  await start()
  const close = () => stopPostmaster(dataDir)
  return {
    url: `postgresql://beacon@127.0.0.1:${port}/postgres`,
    setClock: clock.set,
    restart: async () => {
      await close()
      await start()
    },
    close,
  }
}
