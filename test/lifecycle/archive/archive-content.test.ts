import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { describe, expect } from 'vitest'
import { HashSum } from '../../../src/lifecycle/archive/parquet/text-hash.ts'
import {
  contentOfRows,
  exportRows,
  readShape,
} from '../../../src/store/lifecycle/archives/archive-content.ts'
import { relationOf } from '../../../src/store/lifecycle/list-partitions.ts'
import { databaseOf, inTransaction } from '../../../src/store/transaction.ts'
import { testOn } from '../../store/on-server.ts'
import { servers } from '../../support/database.ts'
import { aMonth, test } from './archiving.ts'

/** PostgreSQL's texts hold every character but this one. */
const aText = fc.string({ unit: 'binary', maxLength: 40 }).map((text) => text.replaceAll('\0', ''))

describe.each(servers.map(({ server, clusterUrl }) => ({ server, test: testOn(clusterUrl) })))(
  'a sum of hashes on $server',
  ({ test }) => {
    test('is the same here as there, for any texts', async ({ client }) => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.option(aText), { maxLength: 50 }), async (texts) => {
          const { rows } = await client.query<{ sum: string }>(
            `select coalesce(sum(coalesce(hashtextextended(text collate "C", 0), 1)), 0)::text as sum
             from jsonb_array_elements_text($1::jsonb) as text`,
            [JSON.stringify(texts)],
          )
          const sum = new HashSum()
          for (const text of texts) sum.add(text)
          expect(sum.total()).toBe(rows[0]?.sum)
        }),
        { numRuns: 100 },
      )
    })
  },
)

describe('what rows are', () => {
  const columns = ['a', 'b'].map((name) => ({ name, type: 'text', nullable: true }))
  const contentOf = (pool: Parameters<typeof databaseOf>[0], values: string) =>
    contentOfRows(databaseOf(pool), sql.raw(`select * from (values ${values}) as rows (a, b)`), columns)

  test('does not depend on their order', async ({ pool }) => {
    expect(await contentOf(pool, `('1', '2'), ('3', null)`)).toEqual(
      await contentOf(pool, `('3', null), ('1', '2')`),
    )
  })

  test.for([
    ['a value less', `('1', '2'), (null, '4')`],
    ['a row twice', `('1', '2'), ('3', '4'), ('3', '4')`],
    ['values that changed places between rows', `('1', '4'), ('3', '2')`],
    ['nothing in place of NULL', `('1', '2'), ('', '4')`],
  ] as const)('tells of %s', async ([, values], { pool }) => {
    expect(await contentOf(pool, values)).not.toEqual(await contentOf(pool, `('1', '2'), ('3', '4')`))
  })
})

describe('rows that stream out', () => {
  test('leave the connection usable for whoever stops reading', async ({ pool }) => {
    const month = await aMonth(pool, 600)
    const rest = await inTransaction(pool, async (tx) => {
      for await (const _ of exportRows(tx, {
        relation: relationOf(month),
        ...(await readShape(tx.db, month)),
      }))
        break
      return tx.db.execute<{ one: number }>(sql`select 1 as one`)
    })
    expect(rest.rows).toEqual([{ one: 1 }])
  })

  test('tell of an error of the server, which is the last that is heard of it', async ({ pool }) => {
    const selection = {
      relation: sql`nowhere`,
      columns: [{ name: 'a', type: 'text', nullable: true }],
      key: ['a'],
    }
    const reading = inTransaction(pool, async (tx) => {
      for await (const _ of exportRows(tx, selection));
    })
    await expect(reading).rejects.toThrow('relation "nowhere" does not exist')
  })
})
