import { describe, expect, test } from 'vitest'
import { columnsOf, cutTo, padded } from '../../src/cli/terminal/columns.ts'
import { table } from '../../src/cli/terminal/table.ts'
import { names } from '../support/names.ts'

describe('a column of a table', () => {
  test('is as wide as a terminal shows it', () => {
    const rows = ['币安人生', '🚀', 'Cafe\u0301', '\u200fשלום\u200f', 'bitcoin', 'x\u001b[31mred\u001b[39m']
    const lines = table(rows, [
      { title: 'coin', of: (name) => name },
      { title: 'right', of: (name) => name, align: 'right' },
      { title: 'end', of: () => '|' },
    ]).split('\n')
    // 币安人生 takes eight columns, as no other name does.
    expect(lines.map(columnsOf)).toEqual(
      lines.map(() => 8 + 2 + 8 + 2 + 'end'.length).map((all, at) => (at === 0 ? all : all - 2)),
    )
  })

  test.each(names)('holds %s', (name) => {
    expect(columnsOf(padded(name, 40, 'right'))).toBe(40)
    expect(columnsOf(padded(name, 40, 'left'))).toBe(40)
    expect(columnsOf(cutTo(5, name))).toBeLessThanOrEqual(5)
    expect(cutTo(5, name).isWellFormed()).toBe(true)
  })

  test('is cut between characters, and says so', () => {
    expect(cutTo(6, '币安人生')).toBe('币安…')
    expect(cutTo(5, '币安人生')).toBe('币安…')
    expect(cutTo(8, '币安人生')).toBe('币安人生')
    expect(cutTo(4, '👩‍🚀👩‍🚀👩‍🚀')).toBe('👩‍🚀…')
  })
})
