// Live updates by server-sent events, with polling as fallback.
import type { Status } from '../../status/status.ts'
import { base, fetchJson } from './ask.ts'

type Listener = Readonly<{
  onStatus(status: Status): void
  /** The daemon answers without a status. */
  onTrouble(error: string): void
  /** No updates for a while. */
  onStale(): void
}>

/** Events come every three seconds. */
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
  // Browsers limit connections per server to six: hidden pages close theirs.
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
      // The check reports how long.
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
    // The connection may be dead.
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
