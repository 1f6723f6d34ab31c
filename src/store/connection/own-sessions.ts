import { sql } from 'drizzle-orm'

/** Condition on pg_stat_activity: this program's sessions, by application_name. */
export const isOwnSession = sql`(application_name = 'beacon' or application_name like 'beacon %')`
