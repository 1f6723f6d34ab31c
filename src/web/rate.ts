import type { FastifyInstance } from 'fastify'
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible'
import { openPaths } from './access.ts'
import { httpError } from './http-error.ts'

/** Per client; a page sends few requests. */
const usual = { requests: 600, seconds: 10 }

/** 429 before any work; not for health checks. */
export function boundRate(app: FastifyInstance, { requests, seconds } = usual): void {
  const limiter = new RateLimiterMemory({ points: requests, duration: seconds })
  app.addHook('onRequest', async (request, reply) => {
    if (openPaths.has(request.routeOptions.url ?? '')) return
    const left = await limiter.consume(request.ip).catch((refused: RateLimiterRes) => refused)
    if (left.consumedPoints <= requests) return
    reply.header('retry-after', Math.ceil(left.msBeforeNext / 1_000))
    throw httpError(429, `more than ${requests} requests in ${seconds} s: send fewer`)
  })
}
