import { createHash } from 'node:crypto'
import { chmod, mkdir, realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { hasCode } from '../error-code.ts'
import { folderFault } from '../folder-fault.ts'
import { type Account, canEnter, isRoot, serverAccount } from './account.ts'

/** Where the server's data, its password and the marks of its users stand, and who runs it. */
export type Home = Readonly<{ folder: string; wanted: string; account: Account }>

/** Taken as root when the account that runs the server cannot enter the folder asked for. */
const relocatedRoot = '/var/lib/beacon-ingest'

export const dataDirOf = (folder: string): string => join(folder, 'data')

/**
 * The folder asked for; as root, where the server's account cannot enter it (a checkout in a private home), one
 * under /var/lib/beacon-ingest that always belongs to it. Data that already stands in either decides.
 */
export async function chooseHome(dataDir: string): Promise<Home> {
  await createEnterable(dataDir)
  const wanted = await realpath(dataDir)
  const folder = isRoot() ? await enterable(wanted) : wanted
  return { folder, wanted, account: await serverAccount(dataDirOf(folder)) }
}

/** Whether there is a cluster for the folder, there or where it was relocated to. Creates nothing. */
export async function hasData(dataDir: string): Promise<boolean> {
  try {
    if (!(await exists(dataDir))) return false
    const wanted = await realpath(dataDir)
    return (await exists(dataDirOf(wanted))) || (isRoot() && (await exists(dataDirOf(relocatedOf(wanted)))))
  } catch (error) {
    throw folderFault(error, dataDir) ?? error
  }
}

const relocatedOf = (wanted: string): string =>
  join(relocatedRoot, createHash('sha256').update(wanted).digest('hex').slice(0, 12))

async function enterable(wanted: string): Promise<string> {
  const relocated = relocatedOf(wanted)
  if (await exists(dataDirOf(wanted))) return wanted
  if (await exists(dataDirOf(relocated))) return relocated
  const account = await serverAccount(dataDirOf(wanted))
  if (await canEnter(account, wanted)) return wanted
  await createEnterable(relocated)
  return relocated
}

/** Creates the folder and those above it. Root's own umask must not keep the server's account out of them. */
export async function createEnterable(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true })
  if (first === undefined || !isRoot()) return
  for (let created = folder; created.startsWith(first); created = dirname(created))
    await chmod(created, 0o711)
}

/** Whether something stands at the path. */
export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}
