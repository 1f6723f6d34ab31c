import { once } from 'node:events'
import { createConnection, createServer, type Socket } from 'node:net'
import { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { Unavailable } from '../../src/fault.ts'
import { freePort } from '../../src/runtime/free-port.ts'
import { aBatch, aSeries, candlesIn, load, minutes } from '../store/loading.ts'
import { test } from '../support/database.ts'

/** In front of PostgreSQL: the first `commit` after a COPY is passed on, and the connection is cut before its answer. */
async function cutAfterCommit(url: string) {
  const { hostname, port } = new URL(url)
  const ownPort = (await freePort(0)) ?? 0
  const sockets = new Set<Socket>()
  let isLoading = false
  let isCut = false
  let losing: Socket | undefined
  const server = createServer((near) => {
    const far = createConnection({ host: hostname, port: Number(port) })
    for (const socket of [near, far]) sockets.add(socket.on('error', () => undefined))
    near.on('data', (bytes) => {
      isLoading ||= /copy /i.test(bytes.toString('latin1'))
      const isCommit = isLoading && !isCut && bytes.includes('commit\0')
      far.write(bytes)
      if (isCommit) isCut = true
      if (isCommit) losing = near
    })
    // The server answers once it has committed: that answer is what gets lost.
    far.on('data', (bytes) => (losing === near ? near.destroy() : near.write(bytes)))
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
  })
  server.listen(ownPort, '127.0.0.1')
  await once(server, 'listening')
  const through = new URL(url)
  through.host = `127.0.0.1:${ownPort}`
  const close = () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  return { url: through.href, wasCut: () => isCut, close }
}

describe('a commit whose answer is lost', () => {
  test('is worth another try, which finds every candle stored and changes nothing', async ({
    pool,
    databaseUrl,
  }) => {
    const series = await aSeries(pool)
    const batch = aBatch(series, candlesIn(minutes(0, 100)))
    const proxy = await cutAfterCommit(databaseUrl)
    const through = new Pool({ connectionString: proxy.url, max: 2 })
    through.on('error', () => undefined)
    try {
      await expect(load(through, batch)).rejects.toThrow(Unavailable)
      expect(proxy.wasCut()).toBe(true)
      expect(await load(through, batch)).toMatchObject({ received: 100, new: 0, revised: 0, unchanged: 100 })
      const { rows } = await pool.query(
        'select count(*)::integer as count from ohlcv_data where coin_id = $1',
        [series.coinId],
      )
      expect(rows).toEqual([{ count: 100 }])
    } finally {
      await through.end()
      proxy.close()
    }
  })
})
