import { type KeyRing, openKeyRing } from '../encryption/key-ring.ts'
import { Misconfigured } from '../fault.ts'
import { readEncryptionKeys } from '../settings/encryption-keys.ts'

/**
 * The key ring of a text in the form of BEACON_ENCRYPTION_KEYS, `id:base64,id:base64`: the first key encrypts, all of them
 * decrypt. Throws Misconfigured with every mistake, and never quotes a key.
 */
export function readKeyRing(text: string): KeyRing {
  const { keys, mistakes } = readEncryptionKeys(text)
  if (mistakes.length > 0)
    throw new Misconfigured(mistakes.map((mistake) => `the text of the keys ${mistake}`).join('; '))
  return openKeyRing(keys)
}
