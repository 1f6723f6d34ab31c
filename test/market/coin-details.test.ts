import { expect, test } from 'vitest'
import { readText, readWebAddress } from '../../src/market/coin-details.ts'

const long = (length: number) => `https://x.example/${'p'.repeat(length - 'https://x.example/'.length)}`

test.each([
  'http://www.bitcoin.org',
  'https://bitcoin.org/bitcoin.pdf',
  'HTTPS://例え.jp/道?q=1#x',
  long(255),
])('%s is an address, as it came', (address) => {
  expect(readWebAddress(address)).toBe(address)
})

test.each([
  '',
  ' https://x.example',
  'https://x.example/a b',
  'https://x.exa\nmple',
  'https://x.example/\u0000',
  'https://',
  'https://[',
  'bitcoin.org',
  '//x.example',
  'javascript:alert(1)',
  'data:text/html,x',
  'ftp://x.example',
  'ipfs://x',
  7,
  null,
  undefined,
  ['https://x.example'],
])('%j is none', (value) => {
  expect(readWebAddress(value)).toBeUndefined()
})

test('an address that is too long for its column is left out, never cut', () => {
  expect(readWebAddress(long(256))).toBeUndefined()
})

test('a text keeps all but the NUL', () => {
  expect(readText(' a\u0000b\r\n')).toBe(' ab\r\n')
  expect(readText('x'.repeat(100_000))).toHaveLength(100_000)
})

test.each(['', ' \n', '\u0000', 'x'.repeat(51), 7, null, {}])('%j is no text of at most 50', (value) => {
  expect(readText(value, 50)).toBeUndefined()
})
