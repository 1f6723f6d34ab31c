import { Misconfigured } from '../fault.ts'
import { hasCode } from './error-code.ts'

/** The reason with its remedy; undefined for other errors. */
export function folderFault(cause: unknown, folder: string): Misconfigured | undefined {
  if (hasCode(cause, 'ENOTDIR', 'EEXIST')) {
    return new Misconfigured(
      `${folder} cannot be a folder, a file is in its way: set BEACON_DATA_DIR to another`,
      { cause },
    )
  }
  if (!hasCode(cause, 'EACCES', 'EPERM', 'EROFS')) return undefined
  return new Misconfigured(
    `${folder} belongs to another account or cannot be written: run as that account, set BEACON_DATA_DIR to a folder of your own, or set DATABASE_URL`,
    { cause },
  )
}
