import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Unavailable } from '../../fault.ts'
import { minute, second } from '../../market/instant.ts'
import { hasCode } from '../error-code.ts'
import { commandLine, processIdentity } from './process.ts'
import { waitFor } from './wait.ts'

/** A live server of a data folder. */
export type Postmaster = Readonly<{ pid: number; port: number; status: string; identity: string }>

/** Crash recovery of a large write-ahead log. */
const settleMs = 2 * minute
const fastShutdownMs = 10 * second
const immediateShutdownMs = 10 * second

/** A killed server leaves it behind. */
export const pidFileOf = (dataDir: string): string => join(dataDir, 'postmaster.pid')

/** Undefined for a stale pid file or a reused pid. */
export async function findPostmaster(dataDir: string): Promise<Postmaster | undefined> {
  const [pidText, folder, , port, , , , status = ''] = (await readPidFile(dataDir))?.split('\n') ?? []
  const pid = Number(pidText)
  if (folder !== dataDir || !Number.isSafeInteger(pid) || pid <= 0) return undefined
  const identity = await processIdentity(pid)
  if (identity === undefined || !(await commandLine(pid))?.includes(` -D ${dataDir} `)) return undefined
  return { pid, port: Number(port), status: status.trim(), identity }
}

/** Waits until the server is ready or gone. */
export async function steadyPostmaster(dataDir: string): Promise<Postmaster | undefined> {
  const settled = await waitFor(async () => {
    const found = await findPostmaster(dataDir)
    if (found === undefined) return 'none'
    return found.status === 'ready' ? found : undefined
  }, settleMs)
  if (settled === undefined) {
    throw new Unavailable(`the PostgreSQL server on ${dataDir} is not ready: see server.log beside it`)
  }
  return settled === 'none' ? undefined : settled
}

/** Fast shutdown, then immediate, which the next start recovers from. */
export async function stopPostmaster(dataDir: string): Promise<void> {
  const found = await findPostmaster(dataDir)
  if (found === undefined) return
  if (await signalAndWait(found, 'SIGINT', fastShutdownMs)) return
  if (await signalAndWait(found, 'SIGQUIT', immediateShutdownMs)) return
  throw new Unavailable(`the PostgreSQL server does not stop: end process ${found.pid}`)
}

async function signalAndWait(
  { pid, identity }: Postmaster,
  signal: NodeJS.Signals,
  timeoutMs: number,
): Promise<boolean> {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error
  }
  const isGone = async () => ((await processIdentity(pid)) === identity ? undefined : true)
  return (await waitFor(isGone, timeoutMs)) ?? false
}

async function readPidFile(dataDir: string): Promise<string | undefined> {
  try {
    return await readFile(pidFileOf(dataDir), 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}
