import { pipeline, type Readable } from 'node:stream'
import { promisify } from 'node:util'
import { constants, createGzip, gzip } from 'node:zlib'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

export const compress = promisify(gzip)

/** Fits one packet. */
const shortestBytes = 1_400

const words = /^(?:text\/|application\/json|image\/svg)/

const takesGzip = ({ headers }: FastifyRequest): boolean =>
  /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/.test(String(headers['accept-encoding'] ?? ''))

/** Coverage of many coins is large. */
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

/** Precompressed content. */
export function sendPacked(
  request: FastifyRequest,
  reply: FastifyReply,
  { content, compressed }: Readonly<{ content: Buffer; compressed: Buffer }>,
): FastifyReply {
  reply.header('vary', 'accept-encoding')
  return takesGzip(request) ? reply.header('content-encoding', 'gzip').send(compressed) : reply.send(content)
}

/** Flushes each piece. */
export function compressStream(request: FastifyRequest, reply: FastifyReply, stream: Readable): Readable {
  reply.header('vary', 'accept-encoding')
  if (!takesGzip(request)) return stream
  reply.header('content-encoding', 'gzip')
  // The client has left.
  return pipeline(stream, createGzip({ flush: constants.Z_SYNC_FLUSH }), () => undefined)
}
