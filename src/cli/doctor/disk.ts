import { existsSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { resolve } from 'node:path'
import { day, plus } from '../../market/instant.ts'
import { lengthInWords } from '../../status/words.ts'
import { readSamples } from '../../store/figures/database-samples.ts'
import { untilFullMs } from '../../store/partitions/until-full.ts'
import { databaseOf } from '../../store/transaction.ts'
import { bytesText } from '../terminal/output.ts'
import { type Check, type Deps, error, type Finding, warning } from './check.ts'

const remedy = 'Make room, give it a larger disk, or shorten what is kept in the configuration.'

/** Thresholds of error and warning. */
const almostNoneBytes = 500_000_000
const littleBytes = 5_000_000_000

/** That there is room, and will be. */
export const disk: Check = {
  name: 'disk',
  run: async (deps) => [...(await ofDatabase(deps)), ...(await ofDataFolder(deps))],
}

async function ofDatabase({ pool, settings, now }: Deps): Promise<Finding[]> {
  const { keep, fullWithin } = settings.monitoring
  const samples = await readSamples(databaseOf(pool), plus(now, -keep))
  const leftMs = untilFullMs(samples)
  const freeBytes = samples.at(-1)?.diskFreeBytes ?? undefined
  return [
    ...(leftMs === undefined || leftMs > fullWithin
      ? []
      : [
          (leftMs < day ? error : warning)(
            `The database's disk will be full in ${lengthInWords(leftMs)} at the pace of the last days.`,
            remedy,
          ),
        ]),
    ...(freeBytes === undefined ? [] : roomFindings("The database's disk", freeBytes)),
  ]
}

/** Embedded server, drafts and local archive. */
async function ofDataFolder({ settings }: Deps): Promise<Finding[]> {
  const folder = resolve(settings.environment.dataDir)
  if (!existsSync(folder)) return []
  const { bavail, bsize } = await statfs(folder)
  return roomFindings(`The disk of the data folder ${folder}`, bavail * bsize)
}

function roomFindings(what: string, freeBytes: number): Finding[] {
  if (freeBytes >= littleBytes) return []
  const finding = freeBytes < almostNoneBytes ? error : warning
  return [finding(`${what} has ${bytesText(freeBytes)} left.`, remedy)]
}
