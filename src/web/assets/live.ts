// News of the daemon for as long as somebody looks: server-sent events, requests where those do not come through, and
// since when there has been no news.
import type { Status } from '../../status/status.ts'
import { base, fetchJson } from './ask.ts'

type Listener = Readonly<{
  onStatus(status: Status): void
  /** The daemon answers, and cannot tell its status. */
  onTrouble(error: string): void
  /** There was no news for a while. */
  onStale(): void
}>

/** A daemon that is well sends news every three seconds. */
const staleMs = 10_000
const checkMs = 1_000
const pollMs = 5_000

export function watchDaemon({ onStatus, onTrouble, onStale }: Listener): void {
  let events: EventSource | undefined
  let newsAt = performance.now()
  let polledAt = 0
  let polling = false

  const heard = () => {
    newsAt = performance.now()
  }
  const open = () => {
    if (events) return
    const opened = new EventSource(`${base}/api/events`)
    events = opened
    opened.addEventListener('status', ({ data }: MessageEvent<string>) => {
      heard()
      onStatus(JSON.parse(data))
    })
    opened.addEventListener('trouble', ({ data }: MessageEvent<string>) => {
      heard()
      onTrouble(JSON.parse(data).error)
    })
    opened.addEventListener('error', () => void poll())
  }
  // A browser opens six connections to a server at most: a hidden page would keep one from the others.
  const close = () => {
    events?.close()
    events = undefined
  }
  async function poll(): Promise<void> {
    if (polling) return
    polling = true
    polledAt = performance.now()
    try {
      const body = (await fetchJson('/api/status')) as Status & { error?: string }
      heard()
      if (body.error === undefined) onStatus(body)
      else onTrouble(body.error)
    } catch {
      // Nobody answers: the check below says since when.
    } finally {
      polling = false
    }
  }
  const check = () => {
    if (document.hidden) return
    const now = performance.now()
    if (now - newsAt < staleMs) return
    onStale()
    if (now - polledAt < pollMs) return
    // A connection over which nothing comes may be dead.
    close()
    open()
    void poll()
  }
  const follow = () => {
    if (document.hidden) return close()
    heard()
    open()
    void poll()
  }
  document.addEventListener('visibilitychange', follow)
  setInterval(check, checkMs)
  if (!document.hidden) open()
}
