import { customType } from 'drizzle-orm/pg-core'

/** Ranges of instants as PostgreSQL writes them: `{["2024-03-01 00:00:00","2024-03-02 00:00:00")}`. */
export const tsmultirange = customType<{ data: string }>({ dataType: () => 'tsmultirange' })
