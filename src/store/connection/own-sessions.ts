import { sql } from 'drizzle-orm'

/** In a query of pg_stat_activity: the sessions of this program, by the names it gives them. Those of the hub are others. */
export const isOwnSession = sql`(application_name = 'beacon' or application_name like 'beacon %')`
