import { expect, test } from 'vitest'
import { z } from 'zod'
import { eventually } from '../support/eventually.ts'
import { commandsIn, type Running } from './support/beacon.ts'

/** The command, once it has said that it plays; ended with the test, however that ends. */
async function startReplay(line: string): Promise<Running & AsyncDisposable> {
  const commands = commandsIn({})
  const running = commands.start(`replay ${line}`, { BEACON_LOG_LEVEL: 'debug' })
  const started = { ...running, [Symbol.asyncDispose]: () => commands.killAll() }
  await eventually(() => running.stderr().includes('Ctrl-C ends it.'), true)
  return started
}

test.concurrent('prints the variables that lead there, serves, logs every request, and ends well', async () => {
  await using running = await startReplay('--source coingecko binance --fault firewall --fault-every 2')
  const lines = running.stdout().trim().split('\n')
  expect(lines.map((line) => line.split('=')[0])).toEqual(['COINGECKO_BASE_URL', 'BINANCE_BASE_URL'])
  const ping = async () => (await fetch(`${lines[1]?.split('=')[1]}/api/v3/ping`)).status
  expect([await ping(), await ping()]).toEqual([200, 403])
  const { code, stderr } = await running.stop('SIGINT')
  expect(code).toBe(0)
  const reported = stderr
    .split('\n')
    .flatMap((line) => (line.includes('replay.request') ? [JSON.parse(line)] : []))
  expect(reported).toMatchObject([
    { source: 'binance', path: '/api/v3/ping', status: 200, fault: null },
    { source: 'binance', path: '/api/v3/ping', status: 403, fault: 'firewall' },
  ])
})

test.concurrent('tells the same as JSON', async () => {
  await using running = await startReplay('--source binance --json')
  const reported = z
    .array(z.object({ source: z.string(), url: z.url(), variable: z.string() }))
    .parse(JSON.parse(running.stdout()))
  expect(reported).toMatchObject([{ source: 'binance', variable: 'BINANCE_BASE_URL' }])
  expect((await running.stop('SIGTERM')).code).toBe(0)
})
