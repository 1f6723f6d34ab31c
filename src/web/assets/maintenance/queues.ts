// The queues, each with its jobs by state.

import type { Status } from '../../../status/status.ts'
import { base } from '../ask.ts'
import { type Child, draw, h } from '../elements/dom.ts'
import { count } from '../elements/words.ts'
import { type Column, nothing, table } from '../elements.ts'

type Queue = NonNullable<Status['queues']>[number]
const queueStates = ['waiting', 'active', 'delayed', 'failed'] as const

const inState = (one: Queue, state: (typeof queueStates)[number]): number =>
  state === 'waiting' ? one.waiting + one.prioritized : one[state]

const isBusy = (one: Queue): boolean => one.paused || queueStates.some((state) => inState(one, state) > 0)

/** Idle queues are only named. */
export function drawQueues(place: Element, { queues }: Status): void {
  if (queues === null) {
    draw(place, nothing('The queue does not answer.'))
    return
  }
  const columns: Column[] = [['Queue'], ...queueStates.map((state): Column => [state, 'number'])]
  const rows = queues.filter(isBusy).map((one) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, link(one.queue), one.paused && h('span', { class: 'tag' }, 'paused')),
      queueStates.map((state) => {
        const jobs = inState(one, state)
        return h('td', { class: `number ${jobs === 0 ? 'zero' : state}` }, count(jobs))
      }),
    ),
  )
  const idle = queues.filter((one) => !isBusy(one))
  draw(
    place,
    rows.length > 0 && table('Jobs of each queue by state', columns, rows),
    idle.length > 0 &&
      h(
        'p',
        { class: 'note inset' },
        'Empty: ',
        idle.flatMap(({ queue }, index): Child[] => [index > 0 && ', ', link(queue)]),
      ),
  )
}

const link = (queue: string): HTMLElement =>
  h('a', { href: `${base}/queues/queue/${encodeURIComponent(queue)}` }, queue)
