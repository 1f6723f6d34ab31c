import { once } from 'node:events'
import { createServer } from 'node:net'
import { hasCode } from './error-code.ts'

export async function freePort(port: number): Promise<number | undefined> {
  const server = createServer()
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    return typeof address === 'object' && address ? address.port : undefined
  } catch (error) {
    if (hasCode(error, 'EADDRINUSE', 'EACCES')) return undefined
    throw error
  } finally {
    if (server.listening) await new Promise((resolve) => server.close(resolve))
  }
}
