import { drizzle } from 'drizzle-orm/node-postgres'
import { escapeLiteral, type Pool, type PoolClient } from 'pg'
import { withUser } from '../../src/store/acting.ts'
import type { Database } from '../../src/store/transaction.ts'

/** A statement as it was sent. */
export type Statement = Readonly<{ text: string; values: readonly unknown[] }>

/**
 * A node of a plan that reads a relation or an index. `rows` is how many it read, in all its `loops`; one with 0 loops was
 * planned and never run.
 */
type Scan = Readonly<{
  type: string
  relation: string | undefined
  index: string | undefined
  loops: number
  rows: number
}>

export type Plan = Readonly<{
  scans: readonly Scan[]
  /** Partitions that were left out when the execution began, not when it was planned. */
  removed: number
}>

/** What the work sends through a database on this connection. */
export async function statementsOf(
  client: PoolClient,
  work: (db: Database) => Promise<unknown>,
): Promise<Statement[]> {
  const statements: Statement[] = []
  const logQuery = (text: string, values: readonly unknown[]) => void statements.push({ text, values })
  await work(drizzle(client, { logger: { logQuery } }))
  return statements
}

/** The plans of exactly what the work sends as this user, run once more in the same transaction. */
export const plansOf = (
  pool: Pool,
  userId: string,
  work: (db: Database) => Promise<unknown>,
): Promise<Plan[]> =>
  withUser(pool, userId, async ({ client }) => {
    const plans: Plan[] = []
    for (const statement of await statementsOf(client, work)) {
      // What it sets for a statement, it sets for the plan of it.
      if (statement.text.startsWith('set local ')) await client.query(statement.text)
      else plans.push(await explain(client, statement))
    }
    return plans
  })

/** The plan of a prepared statement that was made before its parameters were known. */
export const genericPlanOf = (
  pool: Pool,
  userId: string,
  work: (db: Database) => Promise<unknown>,
): Promise<Plan> =>
  withUser(pool, userId, async ({ client }) => {
    const [statement] = await statementsOf(client, work)
    if (!statement) throw new Error('the work sent no statement')
    const values = statement.values.map((value) => escapeLiteral(String(value))).join(', ')
    await client.query('set local plan_cache_mode = force_generic_plan')
    await client.query(`prepare recorded as ${statement.text}`)
    const plan = await explain(client, { text: `execute recorded (${values})`, values: [] })
    await client.query('deallocate recorded')
    return plan
  })

type Node = Readonly<{
  'Node Type': string
  'Relation Name'?: string
  'Index Name'?: string
  'Actual Loops': number
  'Actual Rows': number
  'Rows Removed by Filter'?: number
  'Subplans Removed'?: number
  Plans?: readonly Node[]
}>

async function explain(client: PoolClient, { text, values }: Statement): Promise<Plan> {
  const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: Node }] }>(
    `explain (analyze, format json) ${text}`,
    [...values],
  )
  const nodes = rows.flatMap((row) => allOf(row['QUERY PLAN'][0].Plan))
  const rootIndexes = await rootIndexNames(client)
  return {
    removed: nodes.reduce((sum, node) => sum + (node['Subplans Removed'] ?? 0), 0),
    scans: nodes
      .filter((node) => node['Relation Name'] !== undefined || node['Index Name'] !== undefined)
      .map((node) => toScan(node, rootIndexes)),
  }
}

const allOf = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(allOf)]

function toScan(node: Node, rootIndexes: ReadonlyMap<string, string>): Scan {
  const index = node['Index Name']
  const loops = node['Actual Loops']
  return {
    type: node['Node Type'],
    relation: node['Relation Name'],
    index: index === undefined ? undefined : (rootIndexes.get(index) ?? index),
    loops,
    rows: Math.round(loops * (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0))),
  }
}

/** The index of a partition is known by the name of the one it belongs to. */
async function rootIndexNames(client: PoolClient): Promise<Map<string, string>> {
  const { rows } = await client.query<{ partition: string; root: string }>(`
    select relname as partition, pg_partition_root(oid)::regclass::text as root
    from pg_class
    where relkind = 'i' and relispartition`)
  return new Map(rows.map(({ partition, root }) => [partition, root]))
}
