// A text field with suggestions: long lists are too large for the document.
import type { SeriesStatus } from '../../../status/series.ts'
import { draw, h } from '../elements/dom.ts'

type Coin = Pick<SeriesStatus, 'coinId' | 'symbol'>

export type CoinChooser = Readonly<{
  element: HTMLElement
  update(coins: readonly Coin[], chosen: string | undefined): void
}>

const mostSuggestions = 20

const labelOf = ({ symbol, coinId }: Coin): string => `${symbol.toUpperCase()} · ${coinId}`

/** By name, symbol or suggestion. */
export function openCoinChooser(choose: (coinId: string) => void): CoinChooser {
  let coins: readonly Coin[] = []
  let chosen: string | undefined
  const suggestions = h('datalist', { id: 'chart-coins' })
  const field = h('input', {
    type: 'text',
    class: 'coin-chooser',
    list: suggestions.id,
    autocomplete: 'off',
    spellcheck: 'false',
    'aria-label': 'Coin of the chart',
  })

  const matching = (text: string) => coins.filter((coin) => labelOf(coin).toLowerCase().includes(text))
  const suggest = () =>
    draw(
      suggestions,
      matching(field.value.trim().toLowerCase())
        .slice(0, mostSuggestions)
        .map((coin) => h('option', { value: labelOf(coin) })),
    )
  const showChosen = () => {
    const coin = coins.find(({ coinId }) => coinId === chosen)
    field.value = coin ? labelOf(coin) : ''
  }
  const accept = (coin: Coin | undefined) => {
    if (coin && coin.coinId !== chosen) {
      chosen = coin.coinId
      choose(coin.coinId)
    }
    showChosen()
  }

  field.addEventListener('focus', () => {
    field.select()
    suggest()
  })
  field.addEventListener('input', () => {
    suggest()
    const coin = coins.find((one) => labelOf(one) === field.value)
    if (coin) accept(coin)
  })
  field.addEventListener('change', () => {
    const text = field.value.trim().toLowerCase()
    const exact = coins.find(({ coinId, symbol }) => coinId === text || symbol.toLowerCase() === text)
    accept(text === '' ? undefined : (exact ?? matching(text)[0]))
  })

  return {
    element: h('span', {}, field, suggestions),
    update(series, coinId) {
      coins = [...new Map(series.map((one) => [one.coinId, one])).values()]
      chosen = coinId
      if (document.activeElement !== field) showChosen()
    },
  }
}
