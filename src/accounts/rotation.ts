import { type SQL, sql } from 'drizzle-orm'
import type { Pool } from 'pg'
import { type EncryptedColumn, encryptedColumns } from '../encryption/encrypted-columns.ts'
import { decrypt, encrypt, isUnderFirstKey } from '../encryption/encrypted-value.ts'
import type { KeyRing } from '../encryption/key-ring.ts'
import { MissingKey, Unreadable } from '../encryption/unreadable.ts'
import { asMaintenance } from '../store/acting.ts'
import type { Database } from '../store/transaction.ts'

/** Counts per column. */
export type ColumnRotation = Readonly<{
  table: string
  column: string
  /** Re-encrypted, or would be in a dry run. */
  rotated: number
  /** Unchanged because of a problem. */
  left: number
  /** Still under another key: changed concurrently, or stopped. */
  remaining: number
}>

/** Names table, column and row. */
export type RotationProblem = Readonly<{ table: string; column: string; rowId: string; why: string }>

export type LackedKey = Readonly<{ keyId: string; values: number }>

export type Rotation = Readonly<{
  columns: readonly ColumnRotation[]
  /** At most 1,000, without those that only lack a key. */
  problems: readonly RotationProblem[]
  lackedKeys: readonly LackedKey[]
}>

type RotationOptions = Readonly<{
  /** Read-only. */
  dryRun?: boolean
  batchRows?: number
  /** Stops between batches. */
  signal?: AbortSignal
  /** Called after each batch with the values done. */
  onProgress?: (doneValues: number) => void
}>

/** One transaction locks these rows for some tenths of a second. */
const defaultBatchRows = 500
/** Bounds memory: a missing key may affect every value. */
const mostProblems = 1_000

/**
 * Re-encrypts everything under the first key in resumable batches. Concurrent changes win; unreadable values stay and
 * are reported.
 */
export async function rotateKeys(
  pool: Pool,
  ring: KeyRing,
  options: RotationOptions = {},
): Promise<Rotation> {
  const progress = new Progress()
  for (const table of tables) await rotateTable(pool, ring, table, progress, options)
  return progress.result(options.dryRun ? new Map() : await countByColumn(pool, ring))
}

/** Values not under the first key. */
export async function countToRotate(pool: Pool, ring: KeyRing): Promise<number> {
  const counts = await countByColumn(pool, ring)
  return [...counts.values()].reduce((sum, count) => sum + count, 0)
}

const columns: readonly EncryptedColumn[] = Object.values(encryptedColumns)

type Table = Readonly<{ name: string; columns: readonly EncryptedColumn[] }>

const tables: readonly Table[] = [...new Set(columns.map(({ table }) => table))].map((name) => ({
  name,
  columns: columns.filter(({ table }) => table === name),
}))

async function rotateTable(
  pool: Pool,
  ring: KeyRing,
  table: Table,
  progress: Progress,
  { dryRun = false, batchRows = defaultBatchRows, signal, onProgress }: RotationOptions,
): Promise<void> {
  // A dry run must remember its plan. With a single old key no addresses can collide.
  const mayMeet = dryRun && ring.all.length > 2
  const planned: Holders = new Map()
  let lastId: string | undefined
  while (!signal?.aborted) {
    const batch = await asMaintenance(pool, async ({ db }) => {
      const rows = await readRows(db, ring, table, lastId, batchRows)
      const { changes, problems } = await planChanges(db, ring, table, rows, planned)
      const rotated = dryRun ? changes.map(({ column }) => column) : await writeChanges(db, table, changes)
      if (mayMeet) remember(planned, changes)
      return { lastId: rows.at(-1)?.id, rotated, problems }
    })
    if (batch.lastId === undefined) return
    lastId = batch.lastId
    const doneValues = progress.add(batch)
    onProgress?.(doneValues)
  }
}

/** SQL: the value is under another key. */
const isUnderOther = ({ first }: KeyRing, { column }: EncryptedColumn): SQL =>
  sql`not starts_with(${sql.identifier(column)}, ${`${first.id}.`})`

type StoredRow = Readonly<{ id: string } & Record<string, string | null>>

/** The next rows by id with a value under another key. */
async function readRows(
  db: Database,
  ring: KeyRing,
  { name, columns }: Table,
  lastId: string | undefined,
  limit: number,
): Promise<StoredRow[]> {
  const names = columns.map(({ column }) => sql.identifier(column))
  const anyOther = columns.map((column) => isUnderOther(ring, column))
  const { rows } = await db.execute<StoredRow>(sql`
    select id, ${sql.join(names, sql`, `)} from ${sql.identifier(name)}
    where (${sql.join(anyOther, sql` or `)}) ${lastId === undefined ? sql`` : sql`and id > ${lastId}::uuid`}
    order by id limit ${limit}`)
  return rows
}

type Change = Readonly<{ column: EncryptedColumn; rowId: string; before: string; after: string }>

/** `keyId`: the missing key. */
type Unchanged = RotationProblem & Readonly<{ keyId?: string }>

type Plan = Readonly<{ changes: readonly Change[]; problems: readonly Unchanged[] }>

async function planChanges(
  db: Database,
  ring: KeyRing,
  { columns }: Table,
  rows: readonly StoredRow[],
  planned: Holders,
): Promise<Plan> {
  const changes: Change[] = []
  const problems: Unchanged[] = []
  for (const row of rows) {
    for (const column of columns) {
      const before = row[column.column]
      if (typeof before !== 'string' || isUnderFirstKey(ring, before)) continue
      const change = planChange(ring, column, row.id, before)
      if ('why' in change) problems.push(change)
      else changes.push(change)
    }
  }
  const doubles = await findDoubles(db, changes, planned)
  return {
    changes: changes.filter(({ rowId }) => !doubles.has(rowId)),
    problems: [...problems, ...doubles.values()],
  }
}

function planChange(
  ring: KeyRing,
  column: EncryptedColumn,
  rowId: string,
  before: string,
): Change | Unchanged {
  try {
    const text = decrypt(ring, column, rowId, before)
    return { column, rowId, before, after: encrypt(ring, column, rowId, text) }
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    const place = { table: column.table, column: column.column, rowId, why: error.message }
    return error instanceof MissingKey ? { ...place, keyId: error.keyId } : place
  }
}

/** Encrypted address → its row and value. */
type Holders = Map<string, Readonly<{ rowId: string; value: string }>>

/**
 * Addresses also in another row, by row id: possible when a process lacked a key. A person must decide; other rows
 * continue.
 */
async function findDoubles(
  db: Database,
  changes: readonly Change[],
  planned: Holders,
): Promise<Map<string, RotationProblem>> {
  const sameAddress = new Map<string, Change[]>()
  for (const change of changes) {
    if (change.column !== encryptedColumns.email) continue
    sameAddress.set(change.after, [...(sameAddress.get(change.after) ?? []), change])
  }
  if (sameAddress.size === 0) return new Map()
  const holders = await readHolders(db, [...sameAddress.keys()])
  const doubles = new Map<string, RotationProblem>()
  for (const [address, ones] of sameAddress) {
    const holder = holders.get(address) ?? planned.get(address)
    for (const { rowId } of ones) {
      const other = holder ?? holderOf(ones.find((one) => one.rowId !== rowId))
      // A concurrent rotation may have written this row: then the old value is gone.
      if (other && other.rowId !== rowId) doubles.set(rowId, doubleOf(rowId, other))
    }
  }
  return doubles
}

async function readHolders(db: Database, addresses: readonly string[]): Promise<Holders> {
  const { rows } = await db.execute<{ id: string; email: string }>(
    sql`select id, email from users where email = any(${sql.param(addresses)}::varchar[])`,
  )
  return new Map(rows.map(({ id, email }) => [email, { rowId: id, value: email }]))
}

function remember(planned: Holders, changes: readonly Change[]): void {
  for (const { column, rowId, before, after } of changes) {
    if (column === encryptedColumns.email) planned.set(after, { rowId, value: before })
  }
}

const holderOf = (change: Change | undefined) => change && { rowId: change.rowId, value: change.before }

function doubleOf(rowId: string, other: Readonly<{ rowId: string; value: string }>): RotationProblem {
  const { table, column } = encryptedColumns.email
  const [keyId] = other.value.split('.')
  const why = `${table}.${column} of row ${rowId} is the address of row ${other.rowId} too, which has it under the key "${keyId}": remove one of the two users, or change the address of one`
  return { table, column, rowId, why }
}

/** Writes only where the old value is unchanged; returns the columns written. */
async function writeChanges(
  db: Database,
  { name, columns }: Table,
  changes: readonly Change[],
): Promise<EncryptedColumn[]> {
  const rowIds = [...new Set(changes.map(({ rowId }) => rowId))]
  if (rowIds.length === 0) return []
  const parts = columns.map((column) => changeOf(column, rowIds, changes))
  const list = (of: (part: ColumnChange) => SQL, separator = sql`, `): SQL =>
    sql.join(parts.map(of), separator)
  const { rows } = await db.execute<Record<string, boolean | null>>(sql`
    update ${sql.identifier(name)} as stored
    set ${list(({ assignment }) => assignment)}
    from unnest(${sql.param(rowIds)}::uuid[], ${list(({ values }) => values)}) as change (id, ${list(({ names }) => names)})
    where stored.id = change.id and (${list(({ stands }) => stands, sql` or `)})
    returning ${list(({ written }) => written)}`)
  return columns.flatMap((column) => rows.filter((row) => row[column.column]).map(() => column))
}

type ColumnChange = Readonly<Record<'values' | 'names' | 'stands' | 'assignment' | 'written', SQL>>

function changeOf(
  column: EncryptedColumn,
  rowIds: readonly string[],
  changes: readonly Change[],
): ColumnChange {
  const byRow = new Map(changes.filter((change) => change.column === column).map((one) => [one.rowId, one]))
  const texts = (of: 'before' | 'after') => sql.param(rowIds.map((id) => byRow.get(id)?.[of] ?? null))
  const name = sql.identifier(column.column)
  const [before, after] = [
    sql.identifier(`${column.column}_before`),
    sql.identifier(`${column.column}_after`),
  ]
  const stands = sql`stored.${name} = change.${before}`
  return {
    values: sql`${texts('before')}::text[], ${texts('after')}::text[]`,
    names: sql`${before}, ${after}`,
    stands,
    assignment: sql`${name} = case when ${stands} then change.${after} else stored.${name} end`,
    written: sql`stored.${name} = change.${after} as ${name}`,
  }
}

async function countByColumn(pool: Pool, ring: KeyRing): Promise<Map<EncryptedColumn, number>> {
  return asMaintenance(pool, async ({ db }) => {
    const counts = new Map<EncryptedColumn, number>()
    for (const column of columns) {
      const { rows } = await db.execute<{ count: string }>(
        sql`select count(*) as count from ${sql.identifier(column.table)} where ${isUnderOther(ring, column)}`,
      )
      counts.set(column, Number(rows[0]?.count))
    }
    return counts
  })
}

type Batch = Readonly<{ rotated: readonly EncryptedColumn[]; problems: readonly Unchanged[] }>

class Progress {
  readonly #columns = new Map(columns.map((column) => [column, { rotated: 0, left: 0 }]))
  readonly #problems: RotationProblem[] = []
  readonly #lackedKeys = new Map<string, number>()
  #doneValues = 0

  add({ rotated, problems }: Batch): number {
    for (const [column, counts] of this.#columns) {
      counts.rotated += rotated.filter((one) => one === column).length
      counts.left += problems.filter(
        (one) => one.table === column.table && one.column === column.column,
      ).length
    }
    for (const { keyId } of problems)
      if (keyId !== undefined) this.#lackedKeys.set(keyId, (this.#lackedKeys.get(keyId) ?? 0) + 1)
    const others = problems.filter(({ keyId }) => keyId === undefined)
    this.#problems.push(...others.slice(0, mostProblems - this.#problems.length))
    this.#doneValues += rotated.length + problems.length
    return this.#doneValues
  }

  result(others: ReadonlyMap<EncryptedColumn, number>): Rotation {
    const counted = [...this.#columns].map(([column, { rotated, left }]) => ({
      table: column.table,
      column: column.column,
      rotated,
      left,
      remaining: Math.max(0, (others.get(column) ?? 0) - left),
    }))
    const lackedKeys = [...this.#lackedKeys].map(([keyId, values]) => ({ keyId, values }))
    return { columns: counted, problems: this.#problems, lackedKeys }
  }
}
