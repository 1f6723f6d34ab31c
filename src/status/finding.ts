import type { AlertDetails } from '../../drizzle/schema/monitoring.ts'

/** `catching-up`: resolves itself. */
export type OverallState = 'ok' | 'catching-up' | 'attention'

/** The key identifies the kind, independent of numbers in the message. */
export type Finding = Readonly<{
  key: string
  state: Exclude<OverallState, 'ok'> | 'note'
  message: string
  details?: AlertDetails
}>

export const attention = (key: string, message: string): Finding => ({ key, state: 'attention', message })
export const note = (key: string, message: string): Finding => ({ key, state: 'note', message })
export const catchingUp = (key: string, message: string): Finding => ({
  key,
  state: 'catching-up',
  message,
})

const places: readonly (readonly [RegExp, string])[] = [
  [/^run\./, '/#runs'],
  [/^(?:series|coins)\./, '/#freshness'],
  [/^candles\./, '/#coverage'],
  [/^prices\./, '/#prices'],
  [/^(?:source|budget)\./, '/#sources'],
  [/^queue\./, '/#queues'],
  [/^partitions\./, '/#storage'],
  [/^retention\./, '/#retention'],
  [/^archive\./, '/#archives'],
]

/** Section of the page. */
export const pathOf = (key: string): string =>
  places.find(([pattern]) => pattern.test(key))?.[1] ?? '/#database'
