import { createHash, timingSafeEqual } from 'node:crypto'
import basicAuth from '@fastify/basic-auth'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { Misconfigured } from '../fault.ts'
import { isLoopback, withoutBrackets } from '../http/loopback.ts'
import type { Log } from '../runtime/log.ts'
import type { Environment } from '../settings/environment.ts'
import { httpError } from './http-error.ts'

/** Health checks need no password. */
export const openPaths: ReadonlySet<string> = new Set(['/healthz', '/readyz'])

export type Access = Pick<Environment, 'httpHost' | 'httpPassword' | 'trustProxy'> &
  Readonly<{
    /** monitoring.pageUrl. */
    pageUrl?: string | undefined
  }>

/** Throws Misconfigured if others can reach it without a password. */
export function refuseOpenDoor({ httpHost, httpPassword }: Pick<Access, 'httpHost' | 'httpPassword'>): void {
  if (isLoopback(httpHost) || httpPassword !== undefined) return
  throw new Misconfigured(
    `${httpHost} can be reached by others: set BEACON_HTTP_PASSWORD, or BEACON_HTTP_HOST to 127.0.0.1`,
  )
}

/** Checks Host, password and origin before reading the body. */
export async function guardAccess(app: FastifyInstance, access: Access, log: Log): Promise<void> {
  if (access.trustProxy === undefined) app.addHook('onRequest', warnOfProxy(log))
  if (isLoopback(access.httpHost)) app.addHook('onRequest', refuseForeignHost(access))
  if (access.httpPassword !== undefined) await askForPassword(app, access.httpPassword, log)
  app.addHook('onRequest', refuseForeignOrigin)
}

// Prevents DNS rebinding: the Host header shows the other site's name.
const refuseForeignHost = ({ httpHost, pageUrl }: Access) => {
  const own = [httpHost, ...(pageUrl === undefined ? [] : [new URL(pageUrl).hostname])]
  return async ({ headers }: FastifyRequest, reply: FastifyReply) => {
    // The raw header: anybody can send forwarded hosts.
    const asked = hostnameOf(headers.host ?? '')
    if (isLoopback(asked) || own.some((name) => withoutBrackets(name).toLowerCase() === asked)) return
    return reply.code(403).send({
      error: `this server is ${own.join(' or ')}: behind a proxy, set monitoring.pageUrl to its address`,
    })
  }
}

const hostnameOf = (host: string): string => withoutBrackets(host.replace(/:\d+$/, '')).toLowerCase()

/** Behind an untrusted proxy all clients share one limit. */
function warnOfProxy(log: Log) {
  let warned = false
  return async ({ headers, ip }: FastifyRequest) => {
    if (warned || headers['x-forwarded-for'] === undefined) return
    warned = true
    log.warn('web.proxy-not-trusted', {
      ip,
      remedy: 'set BEACON_TRUST_PROXY to the proxy: clients share one limit',
    })
  }
}

const readingMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

async function refuseForeignOrigin(request: FastifyRequest, reply: FastifyReply) {
  if (readingMethods.has(request.method) || isSameOrigin(request)) return
  return reply.code(403).send({ error: 'only a page of this server may change anything' })
}

/** Sec-Fetch-Site, or Origin in older browsers. */
function isSameOrigin({ headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site === 'same-origin' || site === 'none'
  const { origin, host } = headers
  return origin !== undefined && URL.canParse(origin) && new URL(origin).host === host
}

/** Wrong passwords per client and minute. */
const wrongTriesAllowed = 10
const waitSeconds = 60

async function askForPassword(app: FastifyInstance, password: string, log: Log): Promise<void> {
  const wrongTries = new RateLimiterMemory({ points: wrongTriesAllowed, duration: waitSeconds })
  await app.register(basicAuth, {
    authenticate: { realm: 'Beacon' },
    validate: async (_user, tried, request, reply) => {
      const before = await wrongTries.get(request.ip)
      if (before !== null && before.consumedPoints >= wrongTriesAllowed) {
        reply.header('retry-after', Math.ceil(before.msBeforeNext / 1_000))
        throw httpError(429, 'too many wrong passwords: wait a minute')
      }
      if (isSameSecret(tried, password)) return
      const { consumedPoints } = await wrongTries.penalty(request.ip)
      log.warn('web.wrong-password', {
        ip: request.ip,
        path: request.routeOptions.url,
        lockedOut: consumedPoints >= wrongTriesAllowed,
      })
      throw httpError(401, 'the password is wrong: it is BEACON_HTTP_PASSWORD, with any user name')
    },
  })
  app.addHook('onRequest', (request, reply, next) => {
    if (openPaths.has(request.routeOptions.url ?? '')) next()
    else app.basicAuth(request, reply, next)
  })
}

/** Constant time. */
const isSameSecret = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b))

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
