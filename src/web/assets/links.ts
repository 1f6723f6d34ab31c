// Links to the pages of a series and of a run.
import { base } from './ask.ts'
import { h } from './elements/dom.ts'

const seriesPath = (coinId: string, timeframe: string): string =>
  `${base}/series/${encodeURIComponent(coinId)}/${timeframe}`

export const seriesLink = (coinId: string, timeframe: string, text = 'Open this series'): HTMLElement =>
  h('a', { href: seriesPath(coinId, timeframe), class: 'more' }, text)

export const timeframeLink = (coinId: string, timeframe: string, isCurrent: boolean): HTMLElement =>
  h('a', { href: seriesPath(coinId, timeframe), 'aria-current': isCurrent ? 'page' : null }, timeframe)

export const runLink = (id: string, text: string): HTMLElement => h('a', { href: `${base}/runs/${id}` }, text)

export const boardLink = (queue: string, jobId: string, text: string): HTMLElement =>
  h('a', { href: `${base}/queues/queue/${encodeURIComponent(queue)}/${encodeURIComponent(jobId)}` }, text)
