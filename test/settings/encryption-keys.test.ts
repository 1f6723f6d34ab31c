import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { InvalidInput } from '../../src/fault.ts'
import { newEncryptionKeyEntry, newEncryptionKeyId } from '../../src/settings/encryption-keys.ts'
import { readSettings } from '../../src/settings.ts'
import { readEnvironment } from '../support/read-environment.ts'

const base64Of = (byte: number, length = 32): string => Buffer.alloc(length, byte).toString('base64')
const read = (keys: string) => readEnvironment({ BEACON_ENCRYPTION_KEYS: keys })

test('keys are read in their order, with blanks around them', () => {
  const { encryptionKeys = [] } = read(` new:${base64Of(1)} , old-2023:${base64Of(2)}\n`)
  expect(encryptionKeys.map(({ id }) => id)).toEqual(['new', 'old-2023'])
  expect(encryptionKeys.map(({ key }) => key.export())).toEqual([Buffer.alloc(32, 1), Buffer.alloc(32, 2)])
})

test('without the variable there are none', () => {
  expect(readEnvironment({ BEACON_ENCRYPTION_KEYS: '' })).not.toHaveProperty('encryptionKeys')
})

test('a new entry is one that can be read, and no two are the same', () => {
  const entries = [newEncryptionKeyId(), newEncryptionKeyId()].map(newEncryptionKeyEntry)
  expect(read(entries.join(',')).encryptionKeys).toHaveLength(2)
})

test('keys show themselves to nobody who prints, logs or inspects the settings', () => {
  const secret = Buffer.from('canary-canary-canary-canary-cana')
  const settings = readSettings({ BEACON_ENCRYPTION_KEYS: `new:${secret.toString('base64')}` })
  const { encryptionKeys } = settings.environment
  expect(encryptionKeys?.[0]?.key.export()).toEqual(secret)
  const texts = [
    inspect(settings, { depth: null, showHidden: true, getters: true }),
    JSON.stringify(settings),
    String(encryptionKeys),
  ]
  for (const encoding of ['utf8', 'base64', 'base64url', 'hex'] as const) {
    expect(texts.join('\n')).not.toContain(secret.toString(encoding).slice(0, 20))
  }
  expect(texts.join('\n')).not.toContain('63 61 6e 61 72 79')
})

describe('mistakes are named, and a key never', () => {
  const good = base64Of(0x63)
  test.each([
    ['no id', good, 'entry 1, no id:base64'],
    ['an empty entry', `new:${good},`, 'entry 2, no id:base64'],
    ['an id in capitals', `NEW:${good}`, 'entry 1, no id:base64'],
    ['an id that is too long', `${'x'.repeat(17)}:${good}`, 'entry 1, no id:base64'],
    ['the two the wrong way round', `${good}:new`, 'entry 1, no id:base64'],
    ['a key that is too short', `new:${base64Of(0x63, 31)}`, 'under the id "new", no 32 bytes in base64'],
    ['a key that is too long', `new:${base64Of(0x63, 33)}`, 'under the id "new", no 32 bytes in base64'],
    ['bits that stand for nothing', `new:${good.replace(/M=$/, 'N=')}`, 'no 32 bytes in base64'],
    ['no key', 'new:', 'under the id "new", no 32 bytes in base64'],
    ['an id twice', `new:${good},new:${base64Of(2)}`, 'names the id "new" twice'],
    ['a key twice', `new:${good},old:${good}`, 'the same key under "new" and "old"'],
  ])('%s', (_, keys, message) => {
    expect(() => read(keys)).toThrow(InvalidInput)
    expect(() => read(keys)).toThrow('BEACON_ENCRYPTION_KEYS ')
    expect(() => read(keys)).toThrow(message)
    expect(() => read(keys)).not.toThrow('Y2Nj')
  })

  test('all in one message, with those of other variables', () => {
    const both = () => readEnvironment({ BEACON_ENCRYPTION_KEYS: `a,b:${good},b:`, BEACON_HTTP_PORT: 'http' })
    for (const part of ['entry 1', 'under the id "b"', 'BEACON_HTTP_PORT']) expect(both).toThrow(part)
  })
})
