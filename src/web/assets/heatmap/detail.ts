import { commandLine } from '../../../command-line.ts'
// Legend, and gaps of the chosen day.
import type { GapsAnswer } from '../../api.ts'
import { type Child, h } from '../elements/dom.ts'
import { count } from '../elements/words.ts'
import { causeText } from '../gap-causes.ts'
import { seriesLink } from '../links.ts'
import { type CoinDays, type Coverage, dayMs, kinds, messageOf } from './days.ts'

type Gap = GapsAnswer['gaps'][number]
export type Chosen = Readonly<{
  coin: CoinDays
  index: number
  from: string
  to: string
  gaps: readonly Gap[] | undefined
}>

export const legend = (): HTMLElement =>
  h(
    'ul',
    { class: 'legend', 'aria-label': 'Legend of the days' },
    Object.entries(kinds).map(([kind, { word }]) =>
      h('li', {}, h('span', { class: `swatch ${kind}`, 'aria-hidden': 'true' }), ' ', word),
    ),
  )

const mostGaps = 20

export function detail(chosen: Chosen | undefined, coverage: Coverage | undefined): HTMLElement {
  if (!chosen || !coverage) return h('div', { class: 'detail', 'aria-live': 'polite' })
  const { coin, index, gaps, from, to } = chosen
  const listAll = commandLine`beacon gaps ${coin.coinId} --timeframe ${coverage.timeframe} --from ${from.slice(0, 10)} --to ${to.slice(0, 10)}`
  return h(
    'div',
    { class: 'detail', 'aria-live': 'polite' },
    h(
      'p',
      {},
      h('b', {}, `${coin.coinId} ${coverage.timeframe}`),
      ` · ${messageOf(coverage, coin, index).replace('\n', ': ')}`,
    ),
    gaps === undefined ? h('p', { class: 'faint' }, 'Looking for the gaps …') : gapList(gaps, listAll),
    h('button', { type: 'button', class: 'more', 'data-chart': true }, 'Show this day in the chart'),
    seriesLink(coin.coinId, coverage.timeframe),
  )
}

const gapList = (gaps: readonly Gap[], listAll: string): Child =>
  gaps.length > 0 &&
  h(
    'ul',
    {},
    gaps.slice(0, mostGaps).map(gapLine),
    gaps.length > mostGaps &&
      h('li', {}, `and ${count(gaps.length - mostGaps)} more: `, h('code', {}, listAll)),
  )

const gapLine = ({ from, to, candles, cause }: Gap): HTMLElement =>
  h(
    'li',
    {},
    `${Date.parse(to) - Date.parse(from) === dayMs ? 'the whole day' : `${from.slice(11, 16)} – ${to.slice(11, 16)}`} · ${count(candles)} ${candles === 1 ? 'candle' : 'candles'} · ${causeText(cause)}`,
  )
