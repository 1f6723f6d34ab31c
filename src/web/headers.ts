import helmet from '@fastify/helmet'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { apiVersion } from '../market/api-version.ts'

const policy = (directives: Readonly<Record<string, string>>): string =>
  Object.entries({
    'default-src': "'none'",
    'script-src': "'self'",
    'style-src': "'self'",
    'img-src': "'self' data:",
    'font-src': "'self'",
    'connect-src': "'self'",
    'base-uri': "'none'",
    'form-action': "'none'",
    'frame-ancestors': "'none'",
    ...directives,
  })
    .map(([name, value]) => `${name} ${value}`)
    .join('; ')

/** Own files only, nothing inline. */
const pagePolicy = policy({})

/** Bull Board needs inline styles and base. */
export const boardPolicy = policy({ 'style-src': "'self' 'unsafe-inline'", 'base-uri': "'self'" })

export const policyHeader = 'content-security-policy'

const isOfApi = ({ url }: FastifyRequest): boolean => /^\/api\//.test(url)

/** Security headers on all answers; API version on the API's. */
export async function protectAnswers(app: FastifyInstance): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: false,
    frameguard: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
    // Left to the proxy: we serve plain HTTP.
    strictTransportSecurity: false,
    // Browsers ignore these without HTTPS.
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
  })
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ [policyHeader]: pagePolicy, 'cache-control': 'no-store' })
    if (isOfApi(request)) reply.header('x-api-version', apiVersion)
  })
}
