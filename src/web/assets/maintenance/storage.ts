// The partitions of each table.

import type { Status } from '../../../status/status.ts'
import { draw, h } from '../elements/dom.ts'
import { bytes, count, counted } from '../elements/words.ts'
import { type Column, cell, table, time } from '../elements.ts'

const endings: Readonly<Record<string, string>> = {
  drop: 'dropped',
  archive: 'archived',
  'roll-up': 'rolled up',
}

export function drawStorage(place: Element, { partitions }: Status): void {
  const rows = partitions.map(({ table: name, partitions, bytes: size, estimatedRows, ...rest }) => {
    const { daysAhead, newestBound, keptDays, ending, unbounded } = rest
    return h(
      'tr',
      {},
      h('th', { scope: 'row' }, name),
      cell(
        'partitions',
        `number ${unbounded.length > 0 ? 'warns' : ''}`,
        count(partitions),
        unbounded.length > 0 && h('span', { class: 'faint' }, ` + ${unbounded.join(', ')}, without bounds`),
      ),
      // Not analyzed yet.
      cell('rows', 'number', estimatedRows === 0 ? '–' : `~ ${count(estimatedRows)}`),
      cell('size', 'number', bytes(size)),
      cell(
        'ahead',
        `number ${daysAhead < 1 ? 'warns' : ''}`,
        newestBound === null ? 'none' : time(newestBound, ahead(daysAhead)),
      ),
      cell(
        'kept',
        '',
        keptDays === null ? 'for ever' : `${counted(keptDays, 'day')}, then ${endings[ending ?? '']}`,
      ),
    )
  })
  const columns: Column[] = [
    ['Table'],
    ['Partitions', 'number'],
    ['Rows', 'number'],
    ['Size', 'number'],
    ['Made ahead', 'number'],
    ['Kept'],
  ]
  draw(place, table('The partitions of each table', columns, rows, { class: 'cards' }))
}

const ahead = (days: number): string =>
  days < 2 ? `${Math.round(days * 24)} h` : counted(Math.floor(days), 'day')
