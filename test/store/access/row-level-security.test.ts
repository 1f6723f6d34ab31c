import { describe, expect } from 'vitest'
import { aRowOf, logsOfUsers, type Person, specOf, tablesOfUsers } from './row-level-security-rows.ts'
import {
  type Actor,
  deleteFrom,
  insertInto,
  type Stage,
  type Statement,
  select,
  stages,
  update,
} from './row-level-security-stage.ts'

type Message = Readonly<{
  of: string
  attempt(stage: Stage): Readonly<{ by: Omit<Actor, 'role'>; statement: Statement }>
  outcome: number | string | RegExp
}>

const policyOf = (table: string): RegExp => new RegExp(`row-level security policy .*for table "${table}"`)

/** One whose row is not in the table yet, but to whom one can belong. */
const newcomer = (table: string, { carol, dave }: Stage): Person => (table === 'users' ? dave : carol)

function readingFrom(table: string, relation = table): Message[] {
  // Who has one row in each table of theirs has more in the log.
  const ownRows = logsOfUsers.includes(table) ? Object.keys(tablesOfUsers).length : 1
  return [
    {
      of: 'reading own rows',
      attempt: ({ alice, idOf }) => ({
        by: { person: alice },
        statement: select(relation, idOf(table, alice)),
      }),
      outcome: 1,
    },
    {
      of: 'reading all there is, of which it sees its own',
      attempt: ({ alice }) => ({ by: { person: alice }, statement: select(relation) }),
      outcome: ownRows,
    },
    {
      of: "reading another's rows",
      attempt: ({ alice, bob, idOf }) => ({
        by: { person: alice },
        statement: select(relation, idOf(table, bob)),
      }),
      outcome: 0,
    },
    {
      of: 'reading while acting for nobody',
      attempt: () => ({ by: {}, statement: select(relation) }),
      outcome: 0,
    },
  ]
}

function writingInto(table: string): Message[] {
  const { change, ties } = specOf(table)
  return [
    {
      of: 'inserting a row of its own',
      attempt: (stage) => {
        const person = newcomer(table, stage)
        return { by: { person }, statement: insertInto(table, aRowOf(table, person)) }
      },
      outcome: 1,
    },
    {
      of: "inserting another's row",
      attempt: (stage) => ({
        by: { person: stage.alice },
        statement: insertInto(table, aRowOf(table, newcomer(table, stage))),
      }),
      outcome: policyOf(table),
    },
    {
      of: 'inserting while acting for nobody',
      attempt: (stage) => ({ by: {}, statement: insertInto(table, aRowOf(table, newcomer(table, stage))) }),
      outcome: policyOf(table),
    },
    {
      of: "inserting a row of its own over another's",
      attempt: (stage) => {
        const person = newcomer(table, stage)
        const row = { ...aRowOf(table, person), id: stage.idOf(table, stage.bob) }
        const { text, values } = insertInto(table, row)
        const statement = { text: `${text} on conflict (id) do update set id = excluded.id`, values }
        return { by: { person }, statement }
      },
      outcome: policyOf(table),
    },
    {
      of: 'updating a row of its own',
      attempt: ({ alice, idOf }) => ({
        by: { person: alice },
        statement: update(table, change, idOf(table, alice)),
      }),
      outcome: 1,
    },
    {
      of: 'updating all there is, of which it reaches its own',
      attempt: ({ alice }) => ({ by: { person: alice }, statement: update(table, change) }),
      outcome: 1,
    },
    {
      of: "updating another's row",
      attempt: ({ alice, bob, idOf }) => ({
        by: { person: alice },
        statement: update(table, change, idOf(table, bob)),
      }),
      outcome: 0,
    },
    {
      of: 'updating while acting for nobody',
      attempt: () => ({ by: {}, statement: update(table, change) }),
      outcome: 0,
    },
    {
      of: 'moving a row of its own to another',
      attempt: (stage) => ({
        by: { person: stage.alice },
        statement: update(table, ties(newcomer(table, stage)), stage.idOf(table, stage.alice)),
      }),
      outcome: policyOf(table),
    },
    {
      of: "moving another's row to itself",
      attempt: ({ alice, bob, idOf }) => ({
        by: { person: alice },
        statement: update(table, ties(alice), idOf(table, bob)),
      }),
      outcome: 0,
    },
    {
      of: 'deleting a row of its own',
      attempt: (stage) => {
        const person = newcomer(table, stage)
        const row = aRowOf(table, person)
        return {
          by: { person, before: [insertInto(table, row)] },
          statement: deleteFrom(table, String(row.id)),
        }
      },
      outcome: 1,
    },
    {
      of: "deleting another's row",
      attempt: ({ alice, bob, idOf }) => ({
        by: { person: alice },
        statement: deleteFrom(table, idOf(table, bob)),
      }),
      outcome: 0,
    },
    {
      of: 'deleting while acting for nobody',
      attempt: () => ({ by: {}, statement: deleteFrom(table) }),
      outcome: 0,
    },
  ]
}

/** What a column must not be made to refer to: another's row in the table that it refers to. */
type Reference = Readonly<{ table: string; column: string; target: string }>

/** Each foreign key from a table of users to another, and the columns that hold a user's id without one. */
async function references({ database }: Stage): Promise<Reference[]> {
  const { rows } = await database.pool.query<Reference>(
    `select conrelid::regclass::text as table, attname as column, confrelid::regclass::text as target
     from pg_constraint join pg_attribute on attrelid = conrelid and attnum = conkey[1]
     where contype = 'f' and conrelid::regclass::text = any ($1) order by 1, 2`,
    [Object.keys(tablesOfUsers)],
  )
  return rows
}

describe.each(stages)('on $server', ({ test }) => {
  test('every table that hangs from a user has a place in these sentences, and policies that bind its owner', async ({
    stage,
  }) => {
    const { rows } = await stage.database.pool.query<{ name: string; bound: boolean }>(
      `with recursive of_users as (
         select 'users'::regclass as oid
         union select attrelid from pg_attribute join pg_class on pg_class.oid = attrelid
           where attname = 'user_id' and relkind in ('r', 'p') and relnamespace = 'public'::regnamespace
         union select polrelid from pg_policy
         union select conrelid from pg_constraint join of_users on confrelid = of_users.oid where contype = 'f'
       )
       select relname as name, relrowsecurity and relforcerowsecurity as bound
       from of_users join pg_class using (oid)`,
    )
    expect(rows.map(({ name }) => name).toSorted()).toEqual(
      [...Object.keys(tablesOfUsers), ...logsOfUsers].toSorted(),
    )
    expect(rows.filter(({ bound }) => !bound)).toEqual([])
  })

  describe.each(['beacon_app', 'the owner'])('%s', (who) => {
    const roleOf = ({ database }: Stage) => (who === 'the owner' ? database.owner.name : who)

    describe.each(Object.keys(tablesOfUsers))('with %s', (table) => {
      test.for([...readingFrom(table), ...writingInto(table)])(
        'is bound: $of',
        async (message, { stage }) => {
          await expectOutcome(stage, roleOf(stage), message)
        },
      )
    })

    describe.each(logsOfUsers)('with %s', (table) => {
      test.for(readingFrom(table))('is bound: $of', async (message, { stage }) => {
        await expectOutcome(stage, roleOf(stage), message)
      })
    })

    test("refers to another's row neither in a new row nor in one of its own", async ({ stage }) => {
      const { alice, bob, idOf, attempt } = stage
      const found = await references(stage)
      expect(found.length).toBeGreaterThanOrEqual(11)
      for (const { table, column, target } of found) {
        const values = { [column]: idOf(target, bob) }
        const by = { role: roleOf(stage), person: alice }
        const path = `${table}.${column}`
        const inserted = await attempt(by, insertInto(table, { ...aRowOf(table, alice), ...values }))
        expect({ path, inserted }).toEqual({ path, inserted: expect.stringMatching(policyOf(table)) })
        const updated = await attempt(by, update(table, values, idOf(table, alice)))
        expect({ path, updated }).toEqual({ path, updated: expect.stringMatching(policyOf(table)) })
      }
    })
  })

  describe('beacon_app', () => {
    const role = 'beacon_app'

    describe.each([...Object.keys(tablesOfUsers), ...logsOfUsers])('with api_v1.%s', (table) => {
      test.for(readingFrom(table, `api_v1.${table}`))('is bound: $of', async (message, { stage }) => {
        await expectOutcome(stage, role, message)
      })
    })

    test('writes through no view', async ({ stage }) => {
      const { alice, attempt } = stage
      for (const [table, { change }] of Object.entries(tablesOfUsers)) {
        for (const statement of [
          insertInto(`api_v1.${table}`, { id: alice.id }),
          update(`api_v1.${table}`, change),
          deleteFrom(`api_v1.${table}`),
        ]) {
          expect(await attempt({ role, person: alice }, statement)).toBe(
            `permission denied for view ${table}`,
          )
        }
      }
    })

    test.for([
      insertInto('audit_logs', { id: '00000000-0000-0000-0000-000000000000' }),
      update('audit_logs', { operation: 'INSERT' }),
      deleteFrom('audit_logs'),
      { text: 'truncate audit_logs' },
    ])('does not write the log: $text', async (statement, { stage }) => {
      const outcome = await stage.attempt({ role, person: stage.alice }, statement)
      expect(outcome).toBe('permission denied for table audit_logs')
    })

    test("locks none of another's rows", async ({ stage }) => {
      const { alice, bob, idOf, attempt } = stage
      for (const table of Object.keys(tablesOfUsers)) {
        const { text, values } = select(table, idOf(table, bob))
        expect(await attempt({ role, person: alice }, { text: `${text} for update`, values })).toBe(0)
      }
    })

    test('does not learn whether what it may not refer to is there', async ({ stage }) => {
      const { alice, bob, dave, attempt } = stage
      const tradeWith = (strategyId: string) =>
        attempt(
          { role, person: alice },
          insertInto('trades', { ...aRowOf('trades', alice), strategy_id: strategyId }),
        )
      expect(await tradeWith(bob.strategyId)).toBe(await tradeWith(dave.strategyId))
    })

    test("takes along its own rows when its user is deleted, and nothing of another's", async ({ stage }) => {
      const { alice, bob, idOf, attempt } = stage
      const tables = Object.keys(tablesOfUsers)
      const closing = ['positions', 'trades', 'trading_accounts'].map((table) =>
        deleteFrom(table, idOf(table, alice)),
      )
      const deleting = { text: 'delete from users where id = any ($1)', values: [[alice.id, bob.id]] }
      const leftOf = (person: Person) => ({
        text: tables.map((table) => `select id from ${table} where id = any ($1)`).join(' union all '),
        values: [tables.map((table) => idOf(table, person))],
      })
      const by = { role, person: alice, before: closing }
      expect(await attempt(by, deleting)).toBe(1)
      expect(await attempt({ ...by, instead: leftOf(alice) }, deleting)).toBe(0)
      expect(await attempt({ ...by, instead: leftOf(bob) }, deleting)).toBe(tables.length)
    })
  })
})

async function expectOutcome(stage: Stage, role: string, message: Message): Promise<void> {
  const { by, statement } = message.attempt(stage)
  const { outcome } = message
  const actual = await stage.attempt({ ...by, role }, statement)
  if (outcome instanceof RegExp) expect(actual).toMatch(outcome)
  else expect(actual).toBe(outcome)
}
