import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { toInstant } from '../../src/market/instant.ts'
import { Releases } from '../../src/runtime/release.ts'
import { violations } from './invariants.ts'
import { type Simulated, Simulation } from './simulation.ts'
import { World } from './world.ts'

const start = toInstant(Date.UTC(2024, 0, 1))

type SimulateOptions = Readonly<{ onDay?: (day: number) => void; signal?: AbortSignal }>

/** Lets the days pass, and returns what happened and what is wrong afterwards. */
export async function simulate(
  days: number,
  seed: number,
  { onDay = () => undefined, signal = new AbortController().signal }: SimulateOptions = {},
): Promise<{ simulated: Simulated; wrong: string[] }> {
  const releases = new Releases()
  try {
    const folder = await mkdtemp(join(tmpdir(), 'beacon-simulation-'))
    releases.push(() => rm(folder, { recursive: true, force: true }))
    // As root, the server runs as another account, which must be able to enter.
    await chmod(folder, 0o711)
    const extent = { start, days, seed }
    const world = await World.open(folder, start, releases)
    const simulated = await new Simulation(world, extent).run(onDay, signal)
    return { simulated, wrong: await violations(world, extent, simulated) }
  } finally {
    await releases.release()
  }
}
