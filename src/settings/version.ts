import { readFileSync } from 'node:fs'
import { packageDir } from '../package-dir.ts'

/** The version of this package, from its package.json. */
export function readVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('package.json', packageDir), 'utf8')) as {
    version: string
  }
  return version
}
