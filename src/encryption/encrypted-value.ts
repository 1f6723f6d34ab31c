import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { InvalidInput } from '../fault.ts'
import { normaliseAddress } from './address.ts'
import type { EncryptedColumn } from './encrypted-columns.ts'
import type { KeyRing, RingKey } from './key-ring.ts'
import { MissingKey, Unreadable } from './unreadable.ts'

const cipher = 'aes-256-gcm'
const keyBytes = 32
const nonceBytes = 12
const tagBytes = 16
const longestKeyId = 16

/** `<key id>.<nonce, ciphertext, tag in base64url>`; at least 28 bytes (38 characters). */
const form = /^([a-z0-9-]{1,16})\.([A-Za-z0-9_-]{38,})$/

/** Part of key derivation; changes with the format. */
const purpose = 'beacon 1'

/** Plaintext bytes that fit, assuming the longest key id, so that key changes always fit. */
export const capacityOf = ({ length }: EncryptedColumn): number =>
  Math.floor(((length - longestKeyId - 1) * 3) / 4) - nonceBytes - tagBytes

/** Throws InvalidInput if the result exceeds the column. */
export function encrypt(ring: KeyRing, column: EncryptedColumn, rowId: string, text: string): string {
  return seal(ring.first, column, rowId, fitting(column, plainOf(column, text)))
}

/** The ciphertexts under each key. */
export const findableForms = (ring: KeyRing, column: EncryptedColumn, text: string): string[] =>
  ring.all.map((key) => seal(key, column, '', plainOf(column, text)))

/** By its key id. */
export const isUnderFirstKey = ({ first }: KeyRing, value: string): boolean =>
  value.startsWith(`${first.id}.`)

/** Throws Unreadable if modified, from another place, or under a missing key. */
export function decrypt(ring: KeyRing, column: EncryptedColumn, rowId: string, value: string): string {
  const place = `${column.table}.${column.column} of row ${rowId}`
  const [, keyId, body = ''] = form.exec(value) ?? []
  const bytes = Buffer.from(body, 'base64url')
  // Rejects changes in unused base64 bits too.
  if (keyId === undefined || bytes.toString('base64url') !== body) {
    throw new Unreadable(
      `${place} is not an encrypted value: restore it from a backup, or have it entered again`,
    )
  }
  const key = ring.all.find(({ id }) => id === keyId)
  if (!key) {
    throw new MissingKey(
      `${place} was encrypted with the key "${keyId}": put that key back into BEACON_ENCRYPTION_KEYS`,
      keyId,
    )
  }
  try {
    return open(key, column, rowId, bytes)
  } catch (cause) {
    throw new Unreadable(
      `${place} was changed, moved there from another place, or encrypted with another key than the one called "${keyId}": restore the value or the key from a backup, or have it entered again`,
      { cause },
    )
  }
}

const plainOf = ({ form }: EncryptedColumn, text: string): string =>
  form === 'findable' ? normaliseAddress(text) : text

function fitting(column: EncryptedColumn, text: string): string {
  const place = `${column.table}.${column.column}`
  if (!text.isWellFormed()) {
    throw new InvalidInput(`the text for ${place} holds half of a character: hand over whole ones`)
  }
  const [bytes, capacity] = [Buffer.byteLength(text), capacityOf(column)]
  if (bytes > capacity) {
    throw new InvalidInput(
      `the text for ${place} has ${bytes} bytes, and ${capacity} fit once it is encrypted: shorten it`,
    )
  }
  return text
}

function seal({ id, key }: RingKey, column: EncryptedColumn, rowId: string, text: string): string {
  const nonce = column.form === 'findable' ? derivedNonce(key, column, text) : randomBytes(nonceBytes)
  const sealing = createCipheriv(cipher, derivedKey(key, 'encrypt', column), nonce, {
    authTagLength: tagBytes,
  })
  sealing.setAAD(placeOf(column, rowId))
  const body = Buffer.concat([nonce, sealing.update(text, 'utf8'), sealing.final(), sealing.getAuthTag()])
  return `${id}.${body.toString('base64url')}`
}

function open({ key }: RingKey, column: EncryptedColumn, rowId: string, body: Buffer): string {
  const nonce = body.subarray(0, nonceBytes)
  const opening = createDecipheriv(cipher, derivedKey(key, 'encrypt', column), nonce, {
    authTagLength: tagBytes,
  })
  opening.setAAD(placeOf(column, rowId))
  opening.setAuthTag(body.subarray(-tagBytes))
  return opening.update(body.subarray(nonceBytes, -tagBytes), undefined, 'utf8') + opening.final('utf8')
}

/** JSON separates the parts unambiguously. Findable values have no row yet. */
const placeOf = ({ table, column, form }: EncryptedColumn, rowId: string): Buffer =>
  Buffer.from(JSON.stringify([purpose, table, column, ...(form === 'findable' ? [] : [rowId.toLowerCase()])]))

/** One key per use and column. */
function derivedKey(key: KeyObject, use: 'encrypt' | 'nonce', { table, column }: EncryptedColumn): KeyObject {
  const info = JSON.stringify([purpose, use, table, column])
  return createSecretKey(Buffer.from(hkdfSync('sha256', key, '', info, keyBytes)))
}

/** Derived from the text, so that no two texts share a nonce. */
const derivedNonce = (key: KeyObject, column: EncryptedColumn, text: string): Buffer =>
  createHmac('sha256', derivedKey(key, 'nonce', column))
    .update(text)
    .digest()
    .subarray(0, nonceBytes)
