import { describe, expect, test } from 'vitest'
import { createTestDatabase, servers } from '../support/database.ts'

describe.each(servers)('the login that the tests run as, on $server', ({ clusterUrl }) => {
  test('owns its database, may create roles, and has no other right', async () => {
    const { pool, drop } = await createTestDatabase(clusterUrl)
    try {
      const { rows } = await pool.query(`
        select rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication,
          pg_has_role(current_user, 'pg_monitor', 'usage') as monitors,
          (select datdba = pg_roles.oid from pg_database where datname = current_database()) as owns
        from pg_roles where rolname = current_user`)
      expect(rows).toEqual([
        {
          rolsuper: false,
          rolcreaterole: true,
          rolcreatedb: false,
          rolbypassrls: false,
          rolreplication: false,
          monitors: false,
          owns: true,
        },
      ])
    } finally {
      await drop()
    }
  })
})
