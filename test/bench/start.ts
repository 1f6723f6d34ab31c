/** What the start of a command costs, beside an empty program: the processor time of each process, first to last. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { table } from '../../src/cli/terminal/table.ts'
import { packageDir } from '../../src/package-dir.ts'
import { type Findings, median, rounds } from './measure.ts'

const run = promisify(execFile)
const program = fileURLToPath(new URL('dist/beacon.js', packageDir))

/** Makes a process write its processor time to standard error as it ends. */
const reporting = `data:text/javascript,${encodeURIComponent(`
  import { writeSync } from 'node:fs'
  process.on('exit', () => {
    const { user, system } = process.cpuUsage()
    writeSync(2, String(user + system))
  })`)}`

const starts = [
  { what: 'node -e 0', args: ['-e', '0'] },
  { what: 'beacon --version', args: [program, '--version'], most: 2.5 },
  { what: 'beacon --help', args: [program, '--help'], most: 4 },
] as const

type Started = Readonly<{ what: string; cpuMs: number; ratio: number; most?: number }>

export async function benchStart(): Promise<Findings> {
  const times = new Map<string, number[]>(starts.map(({ what }) => [what, []]))
  for (let round = 0; round < 2 * rounds; round += 1)
    for (const { what, args } of starts) times.get(what)?.push(await cpuMsOf(args))
  const bare = median(times.get('node -e 0') ?? [])
  const started = starts.map((start): Started => {
    const cpuMs = median(times.get(start.what) ?? [])
    return { ...('most' in start ? { most: start.most } : {}), what: start.what, cpuMs, ratio: cpuMs / bare }
  })
  return {
    text: table(started, [
      { title: 'start of', of: ({ what }) => what },
      { title: 'CPU', of: ({ cpuMs }) => `${cpuMs.toFixed(0)} ms`, align: 'right' },
      { title: 'ratio', of: ({ ratio }) => `${ratio.toFixed(2)} ×`, align: 'right' },
      { title: 'at most', of: ({ most }) => (most === undefined ? '' : `${most} ×`), align: 'right' },
    ]),
    json: { rounds: 2 * rounds, started },
  }
}

async function cpuMsOf(args: readonly string[]): Promise<number> {
  const { stderr } = await run(process.execPath, ['--import', reporting, ...args])
  return Number(stderr) / 1_000
}
