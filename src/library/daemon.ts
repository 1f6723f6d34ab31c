/** `beacon-ingest/daemon`: the daemon inside another program, and its migrations. */
export type { Log } from '../runtime/log.ts'
export type { LogLevel } from '../settings/log-level.ts'
export type { Role } from '../settings/roles.ts'
export { type MigrationStatus, migrateUp, migrationStatus } from '../store/migrations.ts'
export { type Runner, type RunOptions, run } from './run.ts'
