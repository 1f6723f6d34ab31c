import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packageDir } from '../../src/package-dir.ts'

export const projectDir = fileURLToPath(packageDir)

/** The text of one of the project's files. */
export const readText = (path: string): string => readFileSync(join(projectDir, path), 'utf8')

/** The files below these folders whose name ends so, as paths from the project's root. */
export const filesBelow = (folders: readonly string[], ending: string): string[] =>
  folders
    .flatMap((folder) =>
      readdirSync(join(projectDir, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
        join(folder, name),
      ),
    )
    .filter((path) => path.endsWith(ending))
    .sort()
