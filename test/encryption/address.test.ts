import fc from 'fast-check'
import { expect, test } from 'vitest'
import { normaliseAddress } from '../../src/encryption/address.ts'

test('an address that is normalised stays as it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const once = normaliseAddress(text)
      expect(normaliseAddress(once)).toBe(once)
    }),
    { numRuns: 2_000 },
  )
})

test.each([
  ['\t Ada@Example.org\u00a0', 'ada@example.org'],
  ['ZOE\u0308@x', 'zo\u00eb@x'],
  ['\u0130@x', 'i\u0307@x'],
  ['\u212b@x', '\u00e5@x'],
])('%j becomes %j', (text, normalised) => {
  expect(normaliseAddress(text)).toBe(normalised)
})
