// What somebody was told to look at in the last day: what is open first.
import { draw, h } from './dom.js'
import { mark, nothing, time, withCode } from './elements.js'
import { age, instant, secondsBetween } from './words.js'

export function drawAlerts(place, { alerts, generatedAt }) {
  if (alerts.length === 0) return draw(place, nothing('Nobody had to be told of anything in the last day.'))
  const inOrder = alerts.toSorted((a, b) => Number(a.resolvedAt !== null) - Number(b.resolvedAt !== null))
  draw(
    place,
    h(
      'ul',
      { class: 'alerts' },
      inOrder.map((one) => line(one, generatedAt)),
    ),
  )
}

function line({ sentence, openedAt, resolvedAt }, now) {
  const isOpen = resolvedAt === null
  const lasted = age(secondsBetween(openedAt, resolvedAt ?? now))
  return h(
    'li',
    { class: isOpen ? 'open' : 'over' },
    mark(isOpen ? '!' : '✓'),
    h('span', {}, withCode(sentence)),
    h(
      'span',
      { class: 'when' },
      time(openedAt, instant(openedAt).slice(0, 16)),
      isOpen ? `, open for ${lasted}` : `, over after ${lasted}`,
    ),
  )
}
