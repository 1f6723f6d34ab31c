import { describe, expect, test } from 'vitest'
import { fittingName, isName } from '../../src/market/name.ts'
import { names } from '../support/names.ts'

describe('a name', () => {
  test.each(names)('may be %s', (name) => {
    expect(isName(name, 50)).toBe(true)
    expect(fittingName(name, 50)).toBe(name)
  })

  test.each([
    ['nothing', ''],
    ['a line with an end', 'BTC\nUSDT'],
    ['a line of another kind with an end', 'BTC\u2028USDT'],
    ['one that moves the cursor', 'BTC\u001b[2J'],
    ['one with NUL', 'BTC\u0000'],
    ['half a character', '🚀'.slice(0, 1)],
    ['one with a space at its end', 'BTC '],
    ['the folder above', '..'],
    ['the folder itself', '.'],
  ])('is not %s', (_words, text) => expect(isName(text, 50)).toBe(false))

  test('is as long as it has characters, as the columns count', () => {
    expect(isName('🚀'.repeat(50), 50)).toBe(true)
    expect(isName('🚀'.repeat(51), 50)).toBe(false)
  })
})

describe('a text that anybody may have written', () => {
  test('is cut between characters', () => expect(fittingName('🚀🚀🚀', 2)).toBe('🚀🚀'))

  test('neither ends the line nor moves the cursor', () =>
    expect(fittingName(' Bit\ncoin\u001b[2J\u0000 ', 20)).toBe('Bit coin[2J'))

  test('has no half characters', () => expect(fittingName(`a${'🚀'.slice(0, 1)}`, 20)).toBe('a\ufffd'))
})
