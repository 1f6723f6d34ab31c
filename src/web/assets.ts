import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { Misconfigured } from '../fault.ts'
import { packageDir } from '../package-dir.ts'
import { compress, sendPacked } from './compression.ts'
import { type PageFiles, pageScripts, themeScript } from './layout.ts'

const pageDir = new URL('dist/page/', packageDir)

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
}

const ownScripts = new Set([themeScript, ...pageScripts.map((name) => `${name}.js`)])

/** Serves only the page's files under `/assets/`; returns their names. */
export async function serveAssets(app: FastifyInstance): Promise<PageFiles> {
  const names = (await readPageDir()).filter((name) => extname(name) in types)
  for (const name of names) {
    const content = await readFile(new URL(name, pageDir))
    const packed = { content, compressed: await compress(content) }
    const etag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 16)}"`
    app.get(`/assets/${name}`, async (request, reply) => {
      // Revalidated each time, so that no old script runs.
      reply.headers({ etag, 'cache-control': 'no-cache' })
      if (request.headers['if-none-match'] === etag) return reply.code(304).send()
      return sendPacked(request, reply.type(types[extname(name)] ?? 'application/octet-stream'), packed)
    })
  }
  const icon = await readFile(new URL('icon.svg', pageDir), 'utf8')
  return {
    sharedScripts: names.filter((name) => extname(name) === '.js' && !ownScripts.has(name)),
    icon: `data:image/svg+xml,${encodeURIComponent(icon)}`,
  }
}

async function readPageDir(): Promise<string[]> {
  try {
    return await readdir(pageDir)
  } catch (cause) {
    throw new Misconfigured('the files of the status page are not built: run npm run build', { cause })
  }
}
