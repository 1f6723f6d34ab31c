import { PassThrough, type Readable } from 'node:stream'
import type { Status } from '../status/status.ts'

/** A status that many may watch while it is collected once. */
export type Events = Readonly<{
  /** The server-sent events for one more listener, who may leave by destroying the stream; undefined when there are too many. */
  listen(): Readable | undefined
  /** Ends every listener's stream. */
  close(): void
}>

export type EventsOptions = Readonly<{
  collect(): Promise<Status>
  /** What a listener is told when the status cannot be collected: one sentence. */
  describeFailure(error: unknown): string
  everyMs: number
}>

const mostListeners = 50

/** Collects the status again and again, for as long as somebody listens and no longer. */
export function openEvents({ collect, describeFailure, everyMs }: EventsOptions): Events {
  const listeners = new Set<PassThrough>()
  let timer: NodeJS.Timeout | undefined
  let underway = false

  const send = (text: string) => {
    for (const listener of listeners) {
      // One that does not keep up misses a status: the next one says it all again.
      if (!listener.writableNeedDrain) listener.write(text)
    }
  }

  const push = async () => {
    // Who comes while it is being collected gets it with the others.
    if (underway) return
    underway = true
    clearTimeout(timer)
    try {
      send(eventText('status', await collect()))
    } catch (error) {
      send(eventText('trouble', { error: describeFailure(error) }))
    } finally {
      underway = false
    }
    timer = listeners.size > 0 ? setTimeout(push, everyMs) : undefined
  }

  return {
    listen() {
      if (listeners.size >= mostListeners) return undefined
      const listener = new PassThrough()
      listener.on('close', () => listeners.delete(listener))
      listeners.add(listener)
      listener.write(`retry: ${everyMs}\n\n`)
      void push()
      return listener
    },
    close() {
      clearTimeout(timer)
      for (const listener of listeners) listener.end()
      listeners.clear()
    },
  }
}

// JSON holds no line break of its own, so one line is enough.
const eventText = (name: string, data: unknown): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
