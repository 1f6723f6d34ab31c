import { readFileSync } from 'node:fs'
import { packageDir } from '../package-dir.ts'

export function readVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('package.json', packageDir), 'utf8')) as {
    version: string
  }
  return version
}
