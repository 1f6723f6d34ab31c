// The files of the archive, in sum.

import type { Maintenance } from '../../../status/maintenance.ts'
import { type Child, draw, h } from '../elements/dom.ts'
import { bytes, count, counted, instant } from '../elements/words.ts'
import { nothing, time } from '../elements.ts'

type Fact = readonly [name: string, value: Child, note?: Child]

export function drawArchives(place: Element, archives: Maintenance['archives']): void {
  const {
    files,
    rows,
    bytes: size,
    unverified,
    newest,
    lastVerifiedAt,
    longestUnreadAt,
    lastCheck,
  } = archives
  if (files === 0 && lastCheck === null) {
    draw(place, nothing('Nothing has been archived yet.'))
    return
  }
  const facts: Fact[] = lastCheck ? [['Last check', ...checkFact(lastCheck)]] : []
  if (files > 0)
    facts.push(
      ['Files', count(files), unverified > 0 && `${count(unverified)} more not read back yet`],
      ['Rows', count(rows)],
      ['Size', bytes(size)],
    )
  if (newest)
    facts.push(['Newest', newest.name, `${count(newest.rows)} rows, ${instant(newest.createdAt)} UTC`])
  if (lastVerifiedAt) facts.push(['Last read back', time(lastVerifiedAt, `${instant(lastVerifiedAt)} UTC`)])
  if (longestUnreadAt && lastVerifiedAt && instant(longestUnreadAt) !== instant(lastVerifiedAt))
    facts.push([
      'Longest not read',
      time(longestUnreadAt, `since ${instant(longestUnreadAt)} UTC`),
      'beacon archive verify',
    ])
  draw(
    place,
    h(
      'dl',
      { class: 'facts' },
      facts.map(([name, value, note]) =>
        h('div', {}, h('dt', {}, name), h('dd', {}, value, note && h('span', {}, note))),
      ),
    ),
  )
}

/** Last archive check. */
const checkFact = ({
  checkedAt,
  problems,
  liveRows,
  archivedRows,
  first,
}: NonNullable<Maintenance['archives']['lastCheck']>): [Child, Child] => [
  time(checkedAt, `${instant(checkedAt)} UTC`),
  problems === 0
    ? `${count(liveRows + archivedRows)} candles are as they were written`
    : [
        h('b', { class: 'warns' }, `${counted(problems, 'difference')} from what was written`),
        ...first.map(({ where, problem, remedy }) => h('span', {}, `${where}: ${problem}. ${remedy}`)),
      ],
]
