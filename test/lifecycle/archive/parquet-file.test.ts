import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { test as base, describe, expect } from 'vitest'
import { Misconfigured } from '../../../src/fault.ts'
import { formOf } from '../../../src/lifecycle/archive/parquet/column-form.ts'
import { contentOfFile, readParquet } from '../../../src/lifecycle/archive/parquet/read-parquet.ts'
import { writeParquet } from '../../../src/lifecycle/archive/parquet/write-parquet.ts'
import { copyField } from '../../../src/store/candles/copy.ts'

const test = base.extend('path', async ({ task }, { onCleanup }) => {
  const folder = await mkdtemp(join(tmpdir(), 'beacon-parquet-'))
  onCleanup(() => rm(folder, { recursive: true }))
  return join(folder, `${task.id}.parquet`)
})

const nullable = (name: string, type: string) => ({ name, type, nullable: true })

/** Every type that an archive can hold, each with any of its values, as PostgreSQL writes them. */
const columns = [
  nullable('small', 'numeric(10,2)'),
  nullable('price', 'numeric(24,8)'),
  nullable('volume', 'numeric(32,8)'),
  nullable('whole', 'numeric(38,0)'),
  nullable('opened', 'timestamp without time zone'),
  nullable('name', 'character varying(50)'),
  nullable('note', 'text'),
  nullable('id', 'uuid'),
  nullable('facts', 'jsonb'),
  nullable('rank', 'integer'),
  nullable('size', 'bigint'),
  nullable('is_new', 'boolean'),
]

const aDecimal = (digits: number, scale: number) =>
  fc.bigInt({ min: -(10n ** BigInt(digits)) + 1n, max: 10n ** BigInt(digits) - 1n }).map((unscaled) => {
    const text = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
    const sign = unscaled < 0n ? '-' : ''
    return scale === 0 ? `${sign}${text}` : `${sign}${text.slice(0, -scale)}.${text.slice(-scale)}`
  })
const aText = fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', ''))

const aRow = fc.tuple(
  ...[
    aDecimal(10, 2),
    aDecimal(24, 8),
    aDecimal(32, 8),
    aDecimal(38, 0),
    fc.bigInt({ min: -(2n ** 57n), max: 2n ** 57n }).map(String),
    aText,
    aText,
    fc.uuid(),
    fc.json(),
    fc.integer().map(String),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
    fc.boolean().map(String),
  ].map((value) => fc.option(value)),
)

type Row = readonly (string | null)[]

/** Lines of COPY, cut into pieces anywhere, also in the middle of a character. */
async function* copied(rows: readonly Row[], pieceBytes: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(rows.map((row) => `${row.map(copyField).join('\t')}\n`).join(''))
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
}

async function rowsIn(path: string): Promise<Row[]> {
  const rows: Row[] = []
  for await (const group of readParquet(path, columns)) {
    for (let row = 0; row < group.rows; row += 1)
      rows.push(group.columns.map((values) => values[row] ?? null))
  }
  return rows
}

describe('a file', () => {
  test('gives back every value of every type, in order', async ({ path }) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(aRow, { maxLength: 20 }),
        fc.integer({ min: 1, max: 100 }),
        async (rows, pieceBytes) => {
          const written = await writeParquet(path, columns, copied(rows, pieceBytes), {})
          expect(written.rows).toBe(rows.length)
          expect(await rowsIn(path)).toEqual(rows)
        },
      ),
      { numRuns: 50 },
    )
  })

  test('of more rows than one group holds is read by DuckDB and by us as the same', async ({ path }) => {
    const count = 40_000
    const rows = Array.from(
      { length: count },
      (_, index): Row => [
        null,
        `${index}.00000001`,
        `-${index}.10000000`,
        null,
        String(index * 1_000_000),
        `coin-${index % 7}`,
        null,
        null,
        index % 2 === 0 ? '{"a": 1.10}' : null,
        String(index),
        null,
        null,
      ],
    )
    const written = await writeParquet(path, columns, copied(rows, 65_536), { archive: 'an id' })
    expect(written.rows).toBe(count)
    expect((await contentOfFile(path, columns)).rows).toBe(count)
    const duck = await (await DuckDBInstance.create()).connect()
    const read = await duck.runAndReadAll(
      `select count(*), sum(price), sum(volume), max(opened), count(distinct name), max(facts), typeof(any_value(facts)),
         typeof(any_value(id)), (select count(distinct row_group_id) from parquet_metadata('${path}'))
       from '${path}' where opened < timestamp '1970-01-01 10:00:00'`,
    )
    expect(read.getRowsJson()).toEqual([
      [
        '36000',
        '647982000.00036000',
        '-647985600.00000000',
        '1970-01-01 09:59:59',
        '7',
        '{"a": 1.10}',
        'JSON',
        'UUID',
        '3',
      ],
    ])
  })

  test('that is compressed as no Node knows is not called damaged', async ({ path }) => {
    const duck = await (await DuckDBInstance.create()).connect()
    await duck.run(`copy (select 1 as a) to '${path}' (format parquet, codec brotli)`)
    await expect(contentOfFile(path, columns)).rejects.toThrow(Misconfigured)
  })

  test.for([
    ['a type that no file has', 'character varying[]'],
    ['a number without limits', 'numeric'],
  ] as const)('refuses %s', async ([, type], { path }) => {
    await expect(writeParquet(path, [nullable('odd', type)], copied([], 1), {})).rejects.toThrow(
      /column odd is of the type .*, which no archive can hold/,
    )
  })

  test.for(['NaN', 'Infinity', '1.123'])('refuses the number %s rather than round it', (text) => {
    expect(() => formOf(nullable('price', 'numeric(24,8)')).encode(text)).toThrow(/has no exact form/)
  })
})
