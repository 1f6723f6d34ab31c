import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { hasCode } from '../error-code.ts'

const run = promisify(execFile)
const hasProc = process.platform === 'linux'

/** Identifies a process across pid reuse and reboots; undefined if gone or a zombie. */
export async function processIdentity(pid: number): Promise<string | undefined> {
  return hasProc ? identityFromProc(pid) : identityFromPs(pid)
}

/** Joined and ended by spaces; undefined if gone. */
export async function commandLine(pid: number): Promise<string | undefined> {
  if (!hasProc) return ps(pid, 'command=')
  const text = await readProc(`/proc/${pid}/cmdline`)
  return text === undefined ? undefined : text.replaceAll('\0', ' ')
}

async function identityFromProc(pid: number): Promise<string | undefined> {
  const stat = await readProc(`/proc/${pid}/stat`)
  // The second field, in brackets, may contain anything.
  const [state, ...fields] = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? []
  const startTicks = fields[18]
  if (startTicks === undefined || state === 'Z' || state === 'X') return undefined
  const bootId = await readFile('/proc/sys/kernel/random/boot_id', 'utf8')
  return `${startTicks}-${bootId.slice(0, 8)}`
}

async function identityFromPs(pid: number): Promise<string | undefined> {
  const line = await ps(pid, 'stat=,lstart=')
  const [, state, startedAt] = /^(\S+)\s+(.+)$/.exec(line?.trim() ?? '') ?? []
  if (!startedAt || state?.startsWith('Z')) return undefined
  return startedAt.replaceAll(/\W+/g, '-')
}

/** Undefined if the process ended. */
async function readProc(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return undefined
    throw error
  }
}

async function ps(pid: number, columns: string): Promise<string | undefined> {
  try {
    const { stdout } = await run('ps', ['-ww', '-o', columns, '-p', String(pid)], { env: { LC_ALL: 'C' } })
    return `${stdout.trimEnd()} `
  } catch (error) {
    // ps exits with 1 for an unknown process.
    if (hasCode(error, '1')) return undefined
    throw error
  }
}
