import { once } from 'node:events'
import { createConnection, createServer, type Socket } from 'node:net'
import { freePort } from '../../src/runtime/free-port.ts'
import type { TestFleet } from './fleet.ts'

/** A door in front of a server: closed at first, and later open, or open and silent. */
export type Proxy = Readonly<{
  /** The server's URL, through the door. */
  urlTo(url: string): string
  open(): Promise<void>
  /** The connections of this moment stay open and nothing passes any more; new ones work. */
  silence(): void
  /** New connections lead to the host and port of that URL; those of this moment stay where they are. */
  leadTo(url: string): void
  /** Cuts every connection and takes no more. */
  close(): Promise<void>
}>

/** A proxy on a free port of its own, to the host and port of the given URL. */
export async function proxyTo(target: string): Promise<Proxy> {
  let { hostname, port } = new URL(target)
  const ownPort = await freePort(0)
  const pairs = new Set<[Socket, Socket]>()
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = createConnection({ host: hostname, port: Number(port), allowHalfOpen: true })
    const pair: [Socket, Socket] = [near, far]
    pairs.add(pair)
    for (const socket of pair) {
      // One side ends: so does the other.
      socket.on('error', () => near.destroy()).on('close', () => [near, far].map((one) => one.destroy()))
    }
    near.pipe(far)
    far.pipe(near)
  })
  return {
    urlTo: (url) => {
      const through = new URL(url)
      through.hostname = '127.0.0.1'
      through.port = String(ownPort)
      return through.href
    },
    open: async () => {
      server.listen(ownPort, '127.0.0.1')
      await once(server, 'listening')
    },
    leadTo: (url) => {
      ;({ hostname, port } = new URL(url))
    },
    silence: () => {
      for (const [near, far] of pairs) {
        near.unpipe(far)
        far.unpipe(near)
        near.resume()
        far.resume()
      }
    },
    close: async () => {
      for (const pair of pairs) for (const socket of pair) socket.destroy()
      if (server.listening) await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A door in front of the fleet's store, and the URLs that lead through it. */
export async function throughProxy({ urls: { databaseUrl, redisUrl }, releases }: TestFleet) {
  const proxy = await proxyTo(redisUrl ?? databaseUrl)
  releases.push(() => proxy.close())
  const urls =
    redisUrl === undefined
      ? { databaseUrl: proxy.urlTo(databaseUrl), redisUrl }
      : { databaseUrl, redisUrl: proxy.urlTo(redisUrl) }
  return { proxy, urls }
}
