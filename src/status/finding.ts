import type { AlertDetails } from '../../drizzle/schema/monitoring.ts'

/** `ok`: nothing to do. `catching-up`: it repairs itself. `attention`: somebody should look. */
export type OverallState = 'ok' | 'catching-up' | 'attention'

/** Something that is not as it should be, or a note that needs nobody. The key says of which kind, whatever the numbers in the sentence are. */
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

/** Where on the page it can be seen. */
export const pathOf = (key: string): string =>
  places.find(([pattern]) => pattern.test(key))?.[1] ?? '/#database'
