import fc from 'fast-check'
import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { type Decimal, toDecimal } from '../../src/market/decimal.ts'
import { type Instant, toInstant, toIso } from '../../src/market/instant.ts'
import {
  binaryHeader,
  longestNumeric,
  readTimestamp,
  textField,
  timestampLength,
  uuidField,
  viewOf,
  writeNumeric,
  writeTimestamp,
} from '../../src/store/candles/binary-copy.ts'
import { copyOut } from '../../src/store/candles/copy.ts'
import { inTransaction } from '../../src/store/transaction.ts'
import { test } from '../support/database.ts'

const scale = 8

function numericField(value: Decimal): Buffer {
  const field = Buffer.alloc(longestNumeric(value))
  return field.subarray(0, writeNumeric(viewOf(field), 0, value, scale))
}

function timestampField(instant: Instant): Buffer {
  const field = Buffer.alloc(timestampLength)
  writeTimestamp(viewOf(field), 0, instant)
  return field
}

/** The first field of each row as the server writes it, its length included. */
async function serversFields(pool: Pool, query: string): Promise<Buffer[]> {
  const bytes = await inTransaction(pool, (tx) => copyOut(tx, query))
  const fields: Buffer[] = []
  for (let at = binaryHeader.length; bytes.readInt16BE(at) !== -1; ) {
    const end = at + 6 + bytes.readInt32BE(at + 2)
    fields.push(bytes.subarray(at + 2, end))
    at = end
  }
  return fields
}

const valuesOf = (literals: readonly string[], type: string): string =>
  `select value::${type} from unnest(array[${literals.map((literal) => `'${literal}'`).join(', ')}]) with ordinality as one (value, place) order by place`

const whole = fc.oneof(
  fc.bigInt({ min: 0n, max: 10n ** 24n - 1n }),
  fc.constantFrom(0n, 1n, 9_999n, 10_000n, 10_001n, 99_990_000n, 100_000_000n),
)
const fraction = fc.oneof(
  fc.stringMatching(/^[0-9]{0,8}$/),
  fc.constantFrom('0', '00000000', '00000001', '0001', '00010000', '12340000', '1'),
)
const decimal = fc
  .tuple(fc.constantFrom('', '', '', '-'), whole, fraction)
  .map(([sign, digits, places]) => toDecimal(`${sign}${digits}${places === '' ? '' : `.${places}`}`))

describe('a field of the binary format', () => {
  test('of a number is byte for byte what the server writes', async ({ pool }) => {
    const numbers = fc.sample(decimal, { numRuns: 3_000, seed: 5 })
    const fields = await serversFields(pool, valuesOf(numbers, `decimal(32, ${scale})`))
    const ours = numbers.map((number) => numericField(number).toString('hex'))
    expect(ours).toEqual(fields.map((field) => field.toString('hex')))
  })

  test('of a moment is what the server writes, and is read back', async ({ pool }) => {
    const moments = [
      '1970-01-01',
      '1999-12-31T23:59',
      '2000-01-01',
      '2024-02-29T12:34:56.789',
      '9999-12-31',
    ].map((text) => toInstant(Date.parse(text.includes('T') ? `${text}Z` : `${text}T00:00Z`)))
    const fields = await serversFields(pool, valuesOf(moments.map(toIso), 'timestamp'))
    expect(moments.map((moment) => timestampField(moment).toString('hex'))).toEqual(
      fields.map((field) => field.toString('hex')),
    )
    expect(fields.map((field) => readTimestamp(field, 4))).toEqual(moments)
  })

  test('of a text or an UUID is what the server writes', async ({ pool }) => {
    const [text, uuid] = ['coin-é\t\\N', '01234567-89ab-cdef-0123-456789abcdef']
    expect(await serversFields(pool, `select '${text}'::varchar`)).toEqual([textField(text)])
    expect(await serversFields(pool, `select '${uuid}'::uuid`)).toEqual([uuidField(uuid)])
  })
})
