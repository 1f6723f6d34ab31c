import type { FastifyInstance } from 'fastify'
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible'
import { httpError } from './http-error.ts'

/** What one address may ask in a while. A page asks for a handful of things when it is opened, and for few later. */
const usual = { requests: 600, seconds: 10 }

/** Answers an address that asks too much with 429, before anything is done for it. */
export function boundRate(app: FastifyInstance, { requests, seconds } = usual): void {
  const limiter = new RateLimiterMemory({ points: requests, duration: seconds })
  app.addHook('onRequest', async (request, reply) => {
    const left = await limiter.consume(request.ip).catch((refused: RateLimiterRes) => refused)
    if (left.consumedPoints <= requests) return
    reply.header('retry-after', Math.ceil(left.msBeforeNext / 1_000))
    throw httpError(429, `more than ${requests} requests in ${seconds} s: ask more slowly`)
  })
}
