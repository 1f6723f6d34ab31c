import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { waitFor } from '../../src/runtime/embedded/wait.ts'
import { freePort } from '../../src/runtime/free-port.ts'
import { findProgram } from './redis.ts'

/** A Redis server of one test file, to be broken. */
export type RedisServer = Readonly<{
  port: number
  /** Sends a command, in a connection of its own. */
  ask(...command: readonly (string | number)[]): Promise<unknown>
  /** Stops answering, and goes on later as if nothing had been: SIGSTOP and SIGCONT. */
  freeze(): void
  thaw(): void
  kill(): Promise<void>
}>

const readyMs = 20_000

/** Starts servers in a folder; all of them end with `close`, and when this process is killed. */
export class RedisServers {
  readonly #folder: string
  readonly #started: ChildProcess[] = []

  constructor(folder: string) {
    this.#folder = folder
  }

  /** A server that keeps nothing. `settings` are lines of redis.conf. */
  async start(settings: readonly string[] = []): Promise<RedisServer> {
    const port = await portOrFail()
    const volatile = ['save ""', 'appendonly no', 'maxmemory-policy noeviction', 'repl-diskless-sync-delay 0']
    return this.#start(port, [...volatile, ...settings], [])
  }

  /** A Sentinel of the primary that it calls "mymaster". */
  async startSentinel(primary: RedisServer, quorum: number): Promise<RedisServer> {
    const port = await portOrFail()
    const settings = [
      `sentinel monitor mymaster 127.0.0.1 ${primary.port} ${quorum}`,
      'sentinel down-after-milliseconds mymaster 500',
      'sentinel failover-timeout mymaster 3000',
    ]
    return this.#start(port, settings, ['--sentinel'])
  }

  async close(): Promise<void> {
    await Promise.all(this.#started.map(end))
  }

  async #start(port: number, settings: readonly string[], options: readonly string[]): Promise<RedisServer> {
    const program = (await findProgram('redis-server')) ?? (await findProgram('valkey-server'))
    if (program === undefined) throw new Error('no redis-server is installed')
    const dir = join(this.#folder, `redis-${port}`)
    await mkdir(dir)
    const file = join(dir, 'redis.conf')
    await writeFile(file, [`port ${port}`, 'bind 127.0.0.1', `dir ${dir}`, ...settings, ''].join('\n'))
    // The shell ends the server when its input ends: on close, and when this process is killed.
    const script =
      '"$@" & server=$!; echo $server; cat; kill -CONT "$server"; kill -9 "$server"; wait "$server"'
    const shell = spawn(
      '/bin/sh',
      ['-c', script, 'sh', program, file, ...options, '--logfile', `${dir}/log`],
      {
        stdio: ['pipe', 'pipe', 'ignore'],
      },
    )
    this.#started.push(shell)
    const [line] = await once(shell.stdout, 'data')
    const server = serverAt(port, Number(String(line).split('\n')[0]), shell)
    const isReady = () => server.ask('ping').then(isPong, () => undefined)
    if (await waitFor(isReady, readyMs)) return server
    throw new Error(`${program} does not answer on port ${port}`)
  }
}

const isPong = (answer: unknown): true | undefined => (answer === 'PONG' ? true : undefined)

const serverAt = (port: number, pid: number, shell: ChildProcess): RedisServer => ({
  port,
  ask: async (command, ...args) => {
    const redis = new Redis({
      port,
      host: '127.0.0.1',
      lazyConnect: true,
      retryStrategy: () => null,
      enableReadyCheck: false,
      maxRetriesPerRequest: 0,
      protocol: 2,
      disableClientInfo: true,
    })
    redis.on('error', () => undefined)
    try {
      await redis.connect()
      return await redis.call(String(command), ...args)
    } finally {
      redis.disconnect()
    }
  },
  freeze: () => void process.kill(pid, 'SIGSTOP'),
  thaw: () => void process.kill(pid, 'SIGCONT'),
  kill: () => end(shell),
})

async function end(shell: ChildProcess): Promise<void> {
  if (shell.exitCode !== null || shell.signalCode !== null) return
  const ended = once(shell, 'exit')
  shell.stdin?.end()
  await ended
}

async function portOrFail(): Promise<number> {
  // A node of a cluster also listens on its port and ten thousand.
  for (;;) {
    const port = await freePort(0)
    if (port === undefined) throw new Error('no port is free on 127.0.0.1')
    if (port < 50_000) return port
  }
}
