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

/** Nothing but our own files, and nothing inline. */
const pagePolicy = policy({})

/** Bull Board sets its base and styles elements inline; its fonts from elsewhere stay out. */
export const boardPolicy = policy({ 'style-src': "'self' 'unsafe-inline'", 'base-uri': "'self'" })

export const policyHeader = 'content-security-policy'

const isOfApi = ({ url }: FastifyRequest): boolean => /^\/api\//.test(url)

/** Puts the headers that keep a browser from being turned against us on every answer, refusals included, and the version on those of the API. */
export async function protectAnswers(app: FastifyInstance): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: false,
    frameguard: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
    // We speak plain HTTP: that is for whoever stands in front of us to say.
    strictTransportSecurity: false,
    // Browsers keep to these over HTTPS only, and complain otherwise.
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
  })
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ [policyHeader]: pagePolicy, 'cache-control': 'no-store' })
    if (isOfApi(request)) reply.header('x-api-version', apiVersion)
  })
}
