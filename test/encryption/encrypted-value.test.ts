import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type EncryptedColumn, encryptedColumns } from '../../src/encryption/encrypted-columns.ts'
import { capacityOf, decrypt, encrypt, findableForms } from '../../src/encryption/encrypted-value.ts'
import { openKeyRing } from '../../src/encryption/key-ring.ts'
import { Unreadable } from '../../src/encryption/unreadable.ts'
import { InvalidInput, Misconfigured } from '../../src/fault.ts'
import { ringOf } from './rings.ts'

const { email, displayName, apiKey, apiSecret } = encryptedColumns
const ring = ringOf('new', 'old')
const row = '0b50f2a4-6a5f-4f0e-9d2c-5e4f8f6f1c11'
const columns: readonly EncryptedColumn[] = Object.values(encryptedColumns)

const messageOf = (read: () => unknown): string => {
  try {
    read()
  } catch (error) {
    if (error instanceof Error) return error.message
  }
  return ''
}

describe('a value', () => {
  test('comes back as it went in, whatever it is, and fits its column', () => {
    const text = fc.string({ unit: 'binary', maxLength: 37 }).filter((one) => one.isWellFormed())
    fc.assert(
      fc.property(text, fc.uuid(), fc.constantFrom(displayName, apiKey), (plain, rowId, column) => {
        const value = encrypt(ring, column, rowId, plain)
        expect(value).toMatch(/^new\.[A-Za-z0-9_-]+$/)
        expect(value.length).toBeLessThanOrEqual(column.length)
        expect(decrypt(ring, column, rowId, value)).toBe(plain)
      }),
    )
  })

  test('is another one each time', () => {
    const values = Array.from({ length: 50 }, () => encrypt(ring, apiKey, row, 'the same'))
    expect(new Set(values).size).toBe(50)
  })

  test('is read in its own row, whatever case the id is written in', () => {
    expect(decrypt(ring, apiKey, row.toUpperCase(), encrypt(ring, apiKey, row, 'secret'))).toBe('secret')
  })

  test('that was written with an older key of the ring is read still', () => {
    expect(decrypt(ring, apiKey, row, encrypt(ringOf('old'), apiKey, row, 'secret'))).toBe('secret')
  })
})

describe('the length', () => {
  const longestId = ringOf('an-id-of-sixteen')

  test.each(columns)('of $table.$column is used up to its end by a key with the longest id', (column) => {
    const most = 'x'.repeat(capacityOf(column))
    expect(encrypt(longestId, column, row, most)).toHaveLength(column.length)
    expect(encrypt(ring, column, row, most).length).toBeLessThan(column.length)
  })

  test('is reckoned in bytes, and what does not fit is refused whatever the key, with how much would', () => {
    const text = 'ä'.repeat(capacityOf(apiKey) / 2)
    expect(decrypt(ring, apiKey, row, encrypt(ring, apiKey, row, text))).toBe(text)
    const message =
      'the text for api_connections.api_key has 151 bytes, and 150 fit once it is encrypted: shorten it'
    expect(() => encrypt(ring, apiKey, row, `${text}x`)).toThrow(new InvalidInput(message))
    expect(() => encrypt(longestId, apiKey, row, `${text}x`)).toThrow(new InvalidInput(message))
  })

  test('half of a character is refused: it would come back as another', () => {
    expect(() => encrypt(ring, displayName, row, 'a\ud83d')).toThrow(InvalidInput)
  })
})

describe('refused', () => {
  const value = encrypt(ring, apiKey, row, 'canary')

  test('is a change of any character', () => {
    for (let index = 0; index < value.length; index += 1) {
      for (const other of ['A', 'B', 'b', '_', '.', 'é']) {
        if (value[index] === other) continue
        const changed = value.slice(0, index) + other + value.slice(index + 1)
        expect(() => decrypt(ring, apiKey, row, changed), `${index} ${other}`).toThrow(Unreadable)
      }
    }
  })

  test('is every other last character, also one that stands for the same bytes', () => {
    for (const plain of ['', 'a', 'ab', 'abc']) {
      const whole = encrypt(ring, apiKey, row, plain)
      for (const other of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_') {
        if (whole.endsWith(other)) continue
        expect(() => decrypt(ring, apiKey, row, whole.slice(0, -1) + other)).toThrow(Unreadable)
      }
    }
  })

  test('is a value that was cut, prolonged, or put together from two', () => {
    const second = encrypt(ring, apiKey, row, 'second')
    for (const wrong of [value.slice(0, -4), `${value}AAAA`, value.slice(0, 24) + second.slice(24)]) {
      expect(() => decrypt(ring, apiKey, row, wrong)).toThrow(Unreadable)
    }
  })

  test('is what was never encrypted, and its text is not repeated', () => {
    for (const wrong of ['', 'canary', 'canary.canary', 'new.', `new.${'='.repeat(40)}`, 'CANARY.abc']) {
      const message = messageOf(() => decrypt(ring, apiKey, row, wrong))
      expect(message).toMatch(
        `api_connections.api_key of row ${row} is not an encrypted value: restore it from a backup, or have it entered again`,
      )
      expect(message).not.toMatch(/canary/i)
    }
  })

  test.each([
    ['another row', apiKey, randomUUID()],
    ['another column of the same row', apiSecret, row],
    ['another table', displayName, row],
    ['a column that is found by its value', email, row],
  ] as const)('is a value that was moved to %s', (_, column, rowId) => {
    const message = messageOf(() => decrypt(ring, column, rowId, value))
    expect(message).toContain(`${column.table}.${column.column} of row ${rowId} was changed, moved there`)
    expect(message).not.toContain('canary')
    expect(() => decrypt(ring, column, rowId, value)).toThrow(Unreadable)
  })

  test('is a key that only bears the same id', () => {
    const other = ringOf('new=another')
    expect(() => decrypt(other, apiKey, row, value)).toThrow(/another key than the one called "new"/)
  })

  test('is a key that the ring does not have, by its name', () => {
    expect(() => decrypt(ringOf('old'), apiKey, row, value)).toThrow(
      `api_connections.api_key of row ${row} was encrypted with the key "new": put that key back into BEACON_ENCRYPTION_KEYS`,
    )
  })

  test('is a ring without keys', () => {
    expect(() => openKeyRing([])).toThrow(Misconfigured)
    expect(() => openKeyRing(undefined)).toThrow('make one with beacon keys generate')
  })
})

describe('an address', () => {
  const address = 'ada@example.org'

  test('is the same value each time, in whatever row and spelling', () => {
    const spellings = [address, ' Ada@Example.ORG\n', 'ADA@EXAMPLE.ORG']
    const values = spellings.map((text) => encrypt(ring, email, randomUUID(), text))
    expect(new Set(values).size).toBe(1)
    expect(decrypt(ring, email, row, values[0] ?? '')).toBe(address)
  })

  test('composed or not is the same value', () => {
    expect(encrypt(ring, email, row, 'zoe\u0308@example.org')).toBe(
      encrypt(ring, email, row, 'zo\u00eb@example.org'),
    )
  })

  test('shares neither value nor nonce with any other', () => {
    const noncesOf = (count: number) =>
      Array.from({ length: count }, (_, index) => encrypt(ring, email, row, `${index}@x`).slice(4, 4 + 16))
    expect(new Set(noncesOf(2_000)).size).toBe(2_000)
  })

  test('has one form for each key, and is found by each', () => {
    const forms = findableForms(ring, email, ` ${address.toUpperCase()}`)
    expect(forms).toEqual([
      encrypt(ringOf('new'), email, row, address),
      encrypt(ringOf('old'), email, row, address),
    ])
    expect(forms.map((form) => decrypt(ring, email, row, form))).toEqual([address, address])
    expect(forms[0]?.split('.')[1]).not.toBe(forms[1]?.split('.')[1])
  })

  test('is refused in another column, and when it was changed', () => {
    const value = encrypt(ring, email, row, address)
    expect(() => decrypt(ring, { ...email, column: 'second_email' }, row, value)).toThrow(Unreadable)
    expect(() => decrypt(ring, { ...email, table: 'others' }, row, value)).toThrow(Unreadable)
    for (let index = 0; index < value.length; index += 1) {
      const changed = `${value.slice(0, index)}${value[index] === 'c' ? 'd' : 'c'}${value.slice(index + 1)}`
      expect(() => decrypt(ring, email, row, changed)).toThrow(Unreadable)
    }
  })
})
