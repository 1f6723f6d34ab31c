import { commandLine } from '../../command-line.ts'
import { toMinuteText } from '../../market/instant.ts'
import { otherKinds } from '../../sources/listing/other-kind.ts'
import type { Finding } from './check-listing.ts'

export function findingText(source: string, { news, life, more = {} }: Finding): string {
  const { coinId, symbol, listedTo, relistedAt } = life
  const market = `${source}:${symbol} (${coinId})`
  const ended = listedTo === undefined ? '' : ` ${toMinuteText(listedTo)} UTC`
  const track = (name: string) => commandLine`beacon coins add ${coinId} --market ${`${source}:${name}`}`
  const stop = commandLine`beacon coins remove ${coinId}`
  const since = listedTo === undefined ? '' : ` --since ${toMinuteText(listedTo).replace(' ', 'T')}Z`
  switch (news) {
    case 'unlisted':
      return `${market} is not in the listing: check its spelling`
    case 'missing':
      return `${market} is missing in the listing; it has ended if it still is in an hour`
    case 'halted':
      return `${market} is listed, but not traded`
    case 'back':
      return `${market} is listed and traded again`
    case 'ended':
      return `${market} ended${ended}${candidatesText(more.candidates, track)}`
    case 'relisted':
      return `${market} ended${ended} and is listed again since ${relistedAt === undefined ? 'now' : toMinuteText(relistedAt)}: if it is still ${coinId}, track it with: ${track(symbol)}${since}`
    case 'reused':
      return `${market} stands for another market since${ended}; ${Number(more.candlesSetAside ?? 0)} candles are quarantined. If it is still ${coinId}, track it again with: ${track(symbol)}${since}`
    case 'redated':
      return `${market} has a new listing date, ${String(more.newListedAt)}, but was traded through it: it is the same market`
    case 'renamed':
      return `${market} is called ${nameText(more.newSymbol, more.newBase, more.newName)} now, and was ${nameText(more.oldSymbol, more.oldBase, more.oldName)}`
    case 'reread':
      return `${market} is a market of ${String(more.newBase)}, and was taken for one of ${String(more.oldBase)}: if ${coinId} is another coin, stop it with: ${stop}`
    case 'no-coin':
      return `${market} is ${kindText(more.kind)}: stop it with: ${stop}`
    case 'shared':
      return `${market} is tracked as ${String(more.with)} too: stop one of them with: ${stop}`
    default:
      return news satisfies never
  }
}

function candidatesText(candidates: unknown, track: (symbol: string) => string): string {
  const [first, ...others] = Array.isArray(candidates) ? candidates.map(String) : []
  if (first === undefined) return ''
  const also = others.length === 0 ? '' : ` (or ${others.join(', ')})`
  return `; if it goes on as ${first}${also}, track it with: ${track(first)}`
}

const nameText = (symbol: unknown, base: unknown, name: unknown): string =>
  `${String(symbol)} of ${String(base)}${name === undefined ? '' : ` (${String(name)})`}`

const kindText = (kind: unknown): string =>
  typeof kind === 'string' && kind in otherKinds ? otherKinds[kind as keyof typeof otherKinds] : 'no coin'
