import { createHash, createSecretKey } from 'node:crypto'
import { type KeyRing, openKeyRing } from '../../src/encryption/key-ring.ts'

/** The bytes of the key of this name: the same in every test. */
export const keyBytesOf = (name: string): Buffer => createHash('sha256').update(name).digest()

/** A ring of the keys of these names, the first of which writes; `id=name` gives a key another id than its name. */
export const ringOf = (...keys: readonly string[]): KeyRing =>
  openKeyRing(
    keys.map((text) => {
      const [id = '', name = id] = text.split('=')
      return { id, key: createSecretKey(keyBytesOf(name)) }
    }),
  )

/** The same keys as BEACON_ENCRYPTION_KEYS has them. */
export const ringVariable = (...names: readonly string[]): string =>
  names.map((name) => `${name}:${keyBytesOf(name).toString('base64')}`).join(',')
