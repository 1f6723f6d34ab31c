// Alerts, open ones first.
import type { Status } from '../../status/status.ts'
import { base } from './ask.ts'
import { draw, h } from './elements/dom.ts'
import { age, counted, instant, secondsBetween } from './elements/words.ts'
import { mark, nothing, time, withCode } from './elements.ts'

type Alert = Status['alerts'][number]

export function drawAlerts(place: Element, { alerts, generatedAt }: Status): void {
  if (alerts.length === 0) {
    draw(place, nothing('No alerts in the last 24 hours.'))
    return
  }
  draw(
    place,
    h(
      'ul',
      { class: 'alerts' },
      alerts.map((one) => line(one, generatedAt)),
    ),
  )
}

function line({ message, openedAt, resolvedAt, details, path }: Alert, now: string): HTMLElement {
  const isOpen = resolvedAt === null
  const lasted = age(secondsBetween(openedAt, resolvedAt ?? now))
  return h(
    'li',
    { class: isOpen ? 'open' : 'over' },
    mark(isOpen ? '!' : '✓'),
    h(
      'span',
      { class: 'what' },
      h('a', { href: `${base}${path}` }, isOpen ? 'Open' : 'Resolved'),
      ' ',
      withCode(message),
    ),
    h(
      'span',
      { class: 'when' },
      time(openedAt, instant(openedAt).slice(0, 16)),
      isOpen ? `, open for ${lasted}` : `, resolved after ${lasted}`,
      details && `, ${counted(details.failures, 'failure')}`,
    ),
  )
}
