import type { FastifyInstance } from 'fastify'
import { sharedWhileRunning } from '../runtime/share.ts'
import type { Readiness } from '../status/readiness/readiness.ts'

/** `/healthz`: alive. `/readyz`: ready and working. */
export function serveHealth(app: FastifyInstance, readiness: () => Promise<Readiness>): void {
  app.get('/healthz', async () => ({ status: 'ok' }))
  // One check serves all concurrent requests, since this route needs no password.
  const read = sharedWhileRunning(readiness)
  app.get('/readyz', async (_request, reply) => {
    const checks = await read()
    const isReady = Object.values(checks).every(({ ok }) => ok)
    return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ok' : 'not ready', checks })
  })
}
