import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'

/** A KeyObject does not reveal its content in logs or JSON. */
export type EncryptionKey = Readonly<{ id: string; key: KeyObject }>

const keyBytes = 32
const idForm = /^[a-z0-9-]{1,16}$/
/** 32 bytes, as base64 writes them. */
const keyForm = /^[A-Za-z0-9+/]{43}=$/

export const isEncryptionKeyId = (id: string): boolean => idForm.test(id)

/** `id:base64` */
export const newEncryptionKeyEntry = (id: string): string =>
  `${id}:${randomBytes(keyBytes).toString('base64')}`

/** Random. */
export const newEncryptionKeyId = (): string => `k${randomBytes(4).toString('hex')}`

/** Parses `id:base64,id:base64`. Mistakes follow the variable's name and never quote keys. */
export function readEncryptionKeys(text: string): Readonly<{ keys: EncryptionKey[]; mistakes: string[] }> {
  const entries = text.split(',').map((entry, index) => readEntry(entry.trim(), index + 1))
  const keys = entries.filter((entry) => typeof entry !== 'string')
  const wrong = entries.filter((entry) => typeof entry === 'string')
  return { keys, mistakes: [...wrong, ...repetitions(keys)] }
}

function readEntry(entry: string, number: number): EncryptionKey | string {
  const colon = entry.indexOf(':')
  const [id, encoded] = [entry.slice(0, colon), entry.slice(colon + 1)]
  if (colon === -1 || !isEncryptionKeyId(id)) {
    return `holds, as entry ${number}, no id:base64 with an id of 1 to 16 of a-z, 0-9 and "-": make one with beacon keys generate`
  }
  const bytes = Buffer.from(encoded, 'base64')
  if (!keyForm.test(encoded) || bytes.toString('base64') !== encoded) {
    return `holds, under the id "${id}", no ${keyBytes} bytes in base64: make a key with beacon keys generate`
  }
  return { id, key: createSecretKey(bytes) }
}

/** Ids and keys must be unique. */
function repetitions(keys: readonly EncryptionKey[]): string[] {
  return keys.flatMap((one, index) =>
    keys.slice(0, index).flatMap((earlier) => {
      if (earlier.id === one.id) return [`names the id "${one.id}" twice: give each key an id of its own`]
      return earlier.key.equals(one.key)
        ? [`has the same key under "${earlier.id}" and "${one.id}": remove one of them`]
        : []
    }),
  )
}
