import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { Fault } from '../../src/fault.ts'
import { unlimitedBudget } from '../../src/http/budget.ts'
import { openHttpClient } from '../../src/http/client.ts'
import { minute, second } from '../../src/market/instant.ts'
import { fixedClock } from '../support/fixed-clock.ts'

const run = promisify(execFile)
const secret = 'canary-7d20b6aa'

/** An HTTPS server with a self-signed certificate, and the requests that it read. */
async function serve(folder: string) {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
  const form = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  await run('openssl', [...form, ...names, '-days', '2', '-keyout', key, '-out', cert])
  const read: string[] = []
  const server = createServer({ key: await readFile(key), cert: await readFile(cert) }, (request, answer) => {
    read.push(request.url ?? '')
    answer.setHeader('content-type', 'application/json').end('[]')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { server, read, baseUrl: `https://localhost:${port}` }
}

describe('an exchange whose certificate is not trusted', () => {
  test('gets no request and no key, and the reason is reported', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'beacon-certificate-'))
    const { server, read, baseUrl } = await serve(folder)
    const http = openHttpClient({
      clock: fixedClock('2024-03-01T12:00:00Z'),
      budget: unlimitedBudget,
      timeoutMs: 20 * second,
      maxBodyBytes: 100_000,
      secretHeaders: { someone: { 'x-api-key': secret } },
    })
    try {
      const request = {
        ...{ source: 'someone', baseUrl, standIns: [], path: '/api/prices', query: {}, weight: 1 },
        rateLimits: [{ points: 100, perMs: minute }],
        classify: () => undefined,
      }
      const failure = await http
        .get(request, { lane: 'live', signal: new AbortController().signal })
        .catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(Fault)
      expect(String(failure)).toContain('DEPTH_ZERO_SELF_SIGNED_CERT')
      expect(JSON.stringify(failure) + String(failure)).not.toContain(secret)
      expect(read).toEqual([])
    } finally {
      http.close()
      server.close()
      await rm(folder, { recursive: true })
    }
  })
})
