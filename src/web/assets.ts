import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { packageDir } from '../package-dir.ts'
import { compress, sendPacked } from './compression.ts'
import type { PageFiles } from './page.ts'
import { readBundle } from './page-bundle.ts'

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
}

const theFirstFirst = (a: string, b: string): number => Number(b === 'status.js') - Number(a === 'status.js')

/** Serves the page's files under `/assets/`, every file it needs and no other; returns what it has to name. */
export async function serveAssets(app: FastifyInstance): Promise<PageFiles> {
  const files = await readBundle()
  for (const { name, content } of files) {
    const packed = { content, compressed: await compress(content) }
    const etag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 16)}"`
    app.get(`/assets/${name}`, async (request, reply) => {
      // Asked for again each time, so that no page runs yesterday's script; mostly nothing is sent.
      reply.headers({ etag, 'cache-control': 'no-cache' })
      if (request.headers['if-none-match'] === etag) return reply.code(304).send()
      return sendPacked(request, reply.type(types[extname(name)] ?? 'application/octet-stream'), packed)
    })
  }
  const icon = await readFile(new URL('src/web/assets/icon.svg', packageDir), 'utf8')
  return {
    scripts: files.flatMap(({ name }) => (extname(name) === '.js' ? [name] : [])).toSorted(theFirstFirst),
    icon: `data:image/svg+xml,${encodeURIComponent(icon)}`,
  }
}
