import { pipeline, type Readable } from 'node:stream'
import { promisify } from 'node:util'
import { constants, createGzip, gzip } from 'node:zlib'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

export const compress = promisify(gzip)

/** Anything shorter is one packet either way. */
const shortestBytes = 1_400

const words = /^(?:text\/|application\/json|image\/svg)/

const takesGzip = ({ headers }: FastifyRequest): boolean =>
  /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/.test(String(headers['accept-encoding'] ?? ''))

/** Sends what is made of words in a fifth of its bytes to whoever can read it: a year of a hundred coins is large. */
export function compressAnswers(app: FastifyInstance): void {
  app.addHook('onSend', async (request, reply, payload) => {
    if (typeof payload !== 'string' && !Buffer.isBuffer(payload)) return payload
    if (payload.length < shortestBytes || reply.hasHeader('content-encoding')) return payload
    if (!words.test(String(reply.getHeader('content-type') ?? ''))) return payload
    reply.header('vary', 'accept-encoding')
    if (!takesGzip(request)) return payload
    const compressed = await compress(payload)
    reply.headers({ 'content-encoding': 'gzip', 'content-length': compressed.length })
    return compressed
  })
}

/** What was compressed once for everybody, as it is or as it was. */
export function sendPacked(
  request: FastifyRequest,
  reply: FastifyReply,
  { content, compressed }: Readonly<{ content: Buffer; compressed: Buffer }>,
): FastifyReply {
  reply.header('vary', 'accept-encoding')
  return takesGzip(request) ? reply.header('content-encoding', 'gzip').send(compressed) : reply.send(content)
}

/** The same of a stream that somebody waits for piece by piece: what was written is sent at once. */
export function compressStream(request: FastifyRequest, reply: FastifyReply, stream: Readable): Readable {
  reply.header('vary', 'accept-encoding')
  if (!takesGzip(request)) return stream
  reply.header('content-encoding', 'gzip')
  // Whoever leaves ends both; there is nobody left to tell.
  return pipeline(stream, createGzip({ flush: constants.Z_SYNC_FLUSH }), () => undefined)
}
