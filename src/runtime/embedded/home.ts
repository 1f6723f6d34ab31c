import { createHash } from 'node:crypto'
import { chmod, mkdir, realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { hasCode } from '../error-code.ts'
import { folderFault } from '../folder-fault.ts'
import { type Account, canEnter, isRoot, serverAccount } from './account.ts'

/** Folder of data, password and user marks. */
export type Home = Readonly<{ folder: string; wanted: string; account: Account }>

/** Used as root if the server's account cannot enter the requested folder. */
const relocatedRoot = '/var/lib/beacon-ingest'

export const dataDirOf = (folder: string): string => join(folder, 'data')

/**
 * The requested folder, or as root one under /var/lib/beacon-ingest if the account cannot enter it. Existing data
 * decides.
 */
export async function chooseHome(dataDir: string): Promise<Home> {
  await createEnterable(dataDir)
  const wanted = await realpath(dataDir)
  const folder = isRoot() ? await enterable(wanted) : wanted
  return { folder, wanted, account: await serverAccount(dataDirOf(folder)) }
}

/** Whether a cluster exists, also if relocated. Read-only. */
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

/** As root, overrides the umask so that the account can enter. */
export async function createEnterable(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true })
  if (first === undefined || !isRoot()) return
  for (let created = folder; created.startsWith(first); created = dirname(created))
    await chmod(created, 0o711)
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}
