import type { Pause, StopKind } from '../http/pauses.ts'
import { type Instant, plus, second, toIso } from '../market/instant.ts'

export type BanStatus = Readonly<{
  source: string
  kind: StopKind
  /** With a remedy if waiting does not help. */
  message: string
  until: string
  secondsLeft: number
}>

const messages: Readonly<Record<StopKind, (source: string) => string>> = {
  'slow-down': (source) => `${source} rate-limits this address`,
  banned: (source) => `${source} has banned our address`,
  unserved: (source) =>
    `${source} does not serve our region: give another host in its base URL, or follow its coins on another source`,
}

/** A pause for display. */
export const describeBan = ({ source, kind, leftMs }: Pause, now: Instant): BanStatus => ({
  source,
  kind,
  message: messages[kind](source),
  until: toIso(plus(now, Math.round(leftMs))),
  secondsLeft: Math.ceil(leftMs / second),
})
