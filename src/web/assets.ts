import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { packageDir } from '../package-dir.ts'
import { compress, sendPacked } from './compression.ts'

/** Every file the page needs, and no other: a path that is not in this list is not looked for. */
const names = [
  'status.css',
  'watch.js',
  'status.js',
  'freshness.js',
  'heatmap.js',
  'chart.js',
  'sources.js',
  'runs.js',
  'upkeep.js',
  'database.js',
  'alerts.js',
  'elements.js',
  'dom.js',
  'roving.js',
  'tip.js',
  'words.js',
  'icon.svg',
] as const

/** The library that draws candles, as its package has it: with its licence at its head. */
const chartLibrary = import.meta
  .resolve('lightweight-charts')
  .replace(/[^/]+$/, 'lightweight-charts.standalone.production.mjs')

/** What the page's script imports: asked for at once, rather than when the one before has been read. */
export const scripts: readonly string[] = [
  ...names.filter((name) => name.endsWith('.js')),
  'lightweight-charts.js',
]

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** Serves the page's files under `/assets/`. */
export async function serveAssets(app: FastifyInstance): Promise<void> {
  const files = new Map<string, URL>(
    names.map((name) => [name, new URL(`src/web/assets/${name}`, packageDir)]),
  )
  files.set('lightweight-charts.js', new URL(chartLibrary))
  for (const [name, url] of files) {
    const content = await readFile(url)
    const packed = { content, compressed: await compress(content) }
    const etag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 16)}"`
    app.get(`/assets/${name}`, async (request, reply) => {
      // Asked for again each time, so that no page runs yesterday's script; mostly nothing is sent.
      reply.headers({ etag, 'cache-control': 'no-cache' })
      if (request.headers['if-none-match'] === etag) return reply.code(304).send()
      return sendPacked(request, reply.type(types[extname(name)] ?? 'application/octet-stream'), packed)
    })
  }
}
