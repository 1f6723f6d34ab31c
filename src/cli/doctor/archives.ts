import { stat } from 'node:fs/promises'
import { commandLine } from '../../command-line.ts'
import { Aborted, Fault } from '../../fault.ts'
import { withStorageOf } from '../../lifecycle/archive/storage.ts'
import { verifyArchive } from '../../lifecycle/archive/verify-archive.ts'
import type { Settings } from '../../settings.ts'
import { type Archive, isTrusted, listArchives } from '../../store/lifecycle/archives.ts'
import { databaseOf } from '../../store/transaction.ts'
import { type Check, error, type Finding } from './check.ts'

/** Archive files exist; with `deep`, their content is verified. */
export const archives = (deep: boolean): Check => ({
  name: 'archives',
  run: async ({ pool, settings, signal }) => {
    const trusted = (await listArchives(databaseOf(pool))).filter(isTrusted)
    const findings: Finding[] = []
    for (const archive of trusted) {
      if (signal.aborted) throw new Aborted('stopped before every archive was looked at: run it again')
      const problem = await problemOf(settings, archive, deep)
      if (problem !== undefined) findings.push(error(`${problem}.`, remedyOf(archive)))
    }
    return findings
  },
})

const remedyOf = ({ id }: Archive): string =>
  `Put back a copy of the file, and then: ${commandLine`npx beacon archive verify ${id.slice(0, 8)}`}`

/** Undefined if sound; errors do not stop other files. */
async function problemOf(settings: Settings, archive: Archive, deep: boolean): Promise<string | undefined> {
  try {
    await (deep ? verifyArchive(settings, archive) : undefined)
    return deep ? undefined : await checkFile(settings, archive)
  } catch (failure) {
    if (failure instanceof Fault) return failure.message
    throw failure
  }
}

/** Remote files are only checked for presence. */
const checkFile = (settings: Settings, archive: Archive): Promise<string | undefined> =>
  withStorageOf(settings, archive, async (storage) => {
    const { fileName, written } = archive
    if (storage.place.startsWith('file:')) {
      const { size } = await storage.withFile(fileName, (path) => stat(path))
      return size === written?.bytes
        ? undefined
        : `${fileName} has ${size} bytes where ${written?.bytes} were written`
    }
    return (await storage.has(fileName)) ? undefined : `${fileName} is not in ${storage.place}`
  })
