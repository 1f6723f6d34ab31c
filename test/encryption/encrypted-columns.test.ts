import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encryptedColumns } from '../../src/encryption/encrypted-columns.ts'
import { createTestDatabase, servers, type TestDatabase } from '../support/database.ts'

const listed = Object.values(encryptedColumns)
const names = listed.map(({ table, column }) => `${table}.${column}`).sort()

describe.each(servers)('the encrypted columns on $server', ({ clusterUrl }) => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase(clusterUrl)
  })
  afterAll(() => database.drop())

  test('are as long as the list says', async () => {
    const { rows } = await database.pool.query<{ name: string; length: number }>(
      `select table_name || '.' || column_name as name, character_maximum_length as length
       from information_schema.columns where table_schema = 'public' and table_name || '.' || column_name = any ($1)`,
      [names],
    )
    expect(new Map(rows.map(({ name, length }) => [name, length]))).toEqual(
      new Map(listed.map(({ table, column, length }) => [`${table}.${column}`, length])),
    )
  })

  test('and the password hash are what the audit log redacts', async () => {
    // The arguments of a trigger end with a zero byte each.
    const { rows } = await database.pool.query<{ name: string }>(
      `select tgrelid::regclass || '.' || secret as name
       from pg_trigger, regexp_split_to_table(encode(tgargs, 'escape'), '\\\\000') as secret
       where tgname = 'audit_row_write' and secret <> ''`,
    )
    expect(rows.map(({ name }) => name).sort()).toEqual([...names, 'users.password'].sort())
  })

  test('are those that are said to be in the comments', async () => {
    const { rows } = await database.pool.query<{ name: string }>(
      `select attrelid::regclass || '.' || attname as name from pg_attribute
       join pg_class on pg_class.oid = attrelid and relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
       where col_description(attrelid, attnum) like 'Encrypted by the application%' and not relispartition`,
    )
    expect(rows.map(({ name }) => name).sort()).toEqual(names)
  })
})
