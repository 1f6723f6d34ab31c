import { readMigrations } from '../../../src/store/migrations/files.ts'

/** What `migrateDown` keeps to leave the schema as it was before the migration, whatever its number. */
export async function versionBefore(name: string): Promise<string> {
  const migrations = await readMigrations()
  const at = migrations.findIndex((one) => one.name.endsWith(`_${name}`))
  if (at < 1) throw new Error(`there is no migration ${name}`)
  return String(at)
}
