import { expect, test } from 'vitest'
import { hasCandles, sources } from '../../src/sources/catalog.ts'
import type { CandleSource, CandleTraits } from '../../src/sources/source.ts'
import { readText } from './project.ts'

function rowOf({ id, hosts, candles, rateLimits }: CandleSource): string {
  const names = hosts.map((host) => `\`${new URL(host).host}\``).join(', ')
  const { pageSize, mostRows, weight, depth, trades, madeFrom = {} } = candles as CandleTraits
  const rows = mostRows === undefined ? pageSize : `${pageSize} to ${mostRows}`
  const deps = depth === undefined ? 'to the listing' : `${depth} candles${trades ? ', then its trades' : ''}`
  const made = Object.entries(madeFrom).map(([timeframe, part]) => `${timeframe} of ${part}`)
  const limits = rateLimits.map(({ points, perMs }) => `${points} per ${perMs / 1_000} s`).join(', ')
  const cells = [`\`${id}\``, names, rows, weight, deps, made.join(', '), limits]
  return `| ${cells.join(' | ')} |`.replace('|  |', '| |')
}

test('the page about the sources says of each what the source itself says', () => {
  const rows = readText('docs/sources.md')
    .split('\n')
    .filter((line) => /^\| `[a-z-]+` \| `[a-z0-9.-]+\.[a-z]+`/.test(line))
  expect(rows).toEqual(Object.values(sources).filter(hasCandles).map(rowOf))
})
