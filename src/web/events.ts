import { PassThrough, type Readable } from 'node:stream'
import type { Status } from '../status/status.ts'

/** Collects status once for many listeners. */
export type Events = Readonly<{
  /** Undefined at the limit; destroy the stream to leave. */
  listen(): Readable | undefined
  close(): void
}>

export type EventsOptions = Readonly<{
  collect(): Promise<Status>
  /** Message if collecting fails. */
  describeFailure(error: unknown): string
  everyMs: number
}>

const mostListeners = 50

/** Only while there are listeners. */
export function openEvents({ collect, describeFailure, everyMs }: EventsOptions): Events {
  const listeners = new Set<PassThrough>()
  let timer: NodeJS.Timeout | undefined
  let underway = false

  const send = (text: string) => {
    for (const listener of listeners) {
      // Slow listeners skip a status.
      if (!listener.writableNeedDrain) listener.write(text)
    }
  }

  const push = async () => {
    // Concurrent listeners share it.
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

// JSON has no line breaks.
const eventText = (name: string, data: unknown): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
