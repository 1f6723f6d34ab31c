import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, constants, mkdir } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { delimiter, join } from 'node:path'
import { waitFor } from '../../src/runtime/embedded/wait.ts'
import { freePort } from '../../src/runtime/free-port.ts'

/** A Redis server that keeps nothing, in the folder; undefined where none is installed. */
export async function openRedis(
  folder: string,
): Promise<Readonly<{ url: string; close(): Promise<void> }> | undefined> {
  const program = (await findProgram('redis-server')) ?? (await findProgram('valkey-server'))
  if (program === undefined) return undefined
  const port = await freePort(0)
  if (port === undefined) throw new Error('no port is free on 127.0.0.1')
  const dir = join(folder, 'redis')
  await mkdir(dir)
  const settings = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--databases', '1024']
  const volatile = ['--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction']
  // The shell ends the server when its input ends: that is when we say so, and also when this process is killed.
  const script = '"$@" & server=$!; cat; kill "$server"; wait "$server"'
  const shell = spawn('/bin/sh', ['-c', script, 'sh', program, ...settings, ...volatile], {
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const close = async () => {
    if (shell.exitCode !== null) return
    const ended = once(shell, 'exit')
    shell.stdin.end()
    await ended
  }
  if (await waitFor(() => answers(port), 10_000)) return { url: `redis://127.0.0.1:${port}`, close }
  await close()
  throw new Error(`${program} does not answer on port ${port}`)
}

/** The program's path; undefined where it is not installed. Servers may stand where only root's path looks. */
export async function findProgram(name: string): Promise<string | undefined> {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']) {
    if (await isProgram(join(folder, name))) return join(folder, name)
  }
  return undefined
}

/** A folder of the path that we may not enter holds no program for us. */
const isProgram = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  )

async function answers(port: number): Promise<true | undefined> {
  const socket = createConnection({ host: '127.0.0.1', port })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    // Not yet: the one who waits looks again, and tells when it takes too long.
    return undefined
  } finally {
    socket.destroy()
  }
}
