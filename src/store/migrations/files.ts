import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Misconfigured } from '../../fault.ts'
import { packageDir } from '../../package-dir.ts'

/** One migration with its two files. */
export type Migration = Readonly<{ name: string; number: number; up: string; down: string; sha256: string }>

export const migrationsDir = fileURLToPath(new URL('drizzle/migrations', packageDir))

const nameForm = /^(\d{4})_[a-z0-9_]+$/

/** Reads migrations in order. Throws Misconfigured for a missing down file, a duplicate or a missing number. */
export async function readMigrations(dir: string = migrationsDir): Promise<Migration[]> {
  const files = (await readdir(dir)).filter((file) => file.endsWith('.sql'))
  const names = files
    .filter((file) => !file.endsWith('.down.sql'))
    .map((file) => file.slice(0, -'.sql'.length))
  for (const file of files) {
    const name = file.replace(/(\.down)?\.sql$/, '')
    if (!names.includes(name))
      throw new Misconfigured(`${file} has no ${name}.sql: write it or remove ${file}`)
  }
  return Promise.all(names.toSorted().map((name, index) => readMigration(dir, name, index + 1, files)))
}

async function readMigration(
  dir: string,
  name: string,
  expected: number,
  files: readonly string[],
): Promise<Migration> {
  const number = Number(nameForm.exec(name)?.[1])
  if (Number.isNaN(number)) {
    throw new Misconfigured(`${name}.sql is not named like 0001_market_data.sql: rename it`)
  }
  if (number !== expected) {
    const place = String(expected).padStart(4, '0')
    const trouble = number < expected ? 'bears a number that is already taken' : `follows a hole at ${place}`
    throw new Misconfigured(`${name}.sql ${trouble}: number the migrations 0001, 0002 and so on`)
  }
  if (!files.includes(`${name}.down.sql`)) {
    throw new Misconfigured(`${name}.sql has no way back: write ${name}.down.sql`)
  }
  const up = await readText(join(dir, `${name}.sql`))
  const down = await readText(join(dir, `${name}.down.sql`))
  return { name, number, up, down, sha256: createHash('sha256').update(up).digest('hex') }
}

/** The hash must not depend on the checkout's line ends. */
const readText = async (path: string): Promise<string> =>
  (await readFile(path, 'utf8')).replaceAll('\r\n', '\n')
