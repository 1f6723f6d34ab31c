import { expect } from 'vitest'
import { z } from 'zod'
import type { Running } from '../cli/support/beacon.ts'
import { eventually } from '../support/eventually.ts'

const event = z.looseObject({ event: z.string() })

/** The events a daemon has logged, oldest first. */
export function eventsOf(daemon: Running): z.infer<typeof event>[] {
  const lines = daemon.stderr().split('\n').slice(0, -1)
  return lines.filter((line) => line.startsWith('{')).map((line) => event.parse(JSON.parse(line)))
}

/** Waits until the daemon says that it is ready, and returns where its page is; undefined without the web. */
export async function untilReady(daemon: Running): Promise<string | undefined> {
  const ready = () => eventsOf(daemon).find((one) => one.event === 'daemon.ready')
  // What it has said instead is what one wants to read.
  await eventually(() => (ready() ? 'ready' : daemon.stderr()), 'ready')
  return z.string().optional().parse(ready()?.url)
}

/** Stops a daemon as a service manager does: it ends well. */
export async function expectGracefulStop(daemon: Running, signal: 'SIGTERM' | 'SIGINT'): Promise<void> {
  const { code, stderr } = await daemon.stop(signal)
  expect({ code, reported: code === 0 ? '' : stderr }).toEqual({ code: 0, reported: '' })
}

/** GETs a path of a daemon's web. */
export async function getJson(
  url: string | undefined,
  path: string,
): Promise<{ status: number; body: unknown }> {
  const response = await fetch(new URL(path, url))
  return { status: response.status, body: await response.json() }
}
