import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

type Answer = (response: ServerResponse, request: IncomingMessage) => void

/** A real server that answers every request as told, and remembers what it was asked. */
export type MisbehavingServer = Readonly<{
  baseUrl: string
  requests: IncomingMessage[]
  answer(next: Answer): void
  /** Resolves when a client's connection is gone. */
  connectionLost(): Promise<void>
  close(): Promise<void>
}>

export async function openMisbehavingServer(): Promise<MisbehavingServer> {
  const requests: IncomingMessage[] = []
  let lost = 0
  const waiting: (() => void)[] = []
  let answer: Answer = (response) => response.end()
  const server = createServer((request, response) => {
    requests.push(request)
    answer(response, request)
  })
  server.on('connection', (socket) => {
    socket.on('error', () => {}) // The client goes away on purpose; `close` follows and is what counts.
    socket.once('close', () => {
      lost += 1
      for (const resolve of waiting.splice(0)) resolve()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return {
    baseUrl: `http://127.0.0.1:${address.port}`,
    requests,
    answer: (next) => {
      answer = next
      requests.length = 0
      lost = 0
    },
    connectionLost: () => (lost > 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Answers JSON. */
export const json =
  (body: string, headers: Record<string, string> = {}, status = 200): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)
  }
