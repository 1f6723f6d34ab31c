import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { InvalidInput } from './fault.ts'
import { packageDir } from './package-dir.ts'
import {
  checkContent,
  fileThatHolds,
  layOver,
  placeOf,
  readableSections,
  withoutOff,
} from './settings/config-files.ts'
import { findContradictions, type Sections } from './settings/contradictions.ts'
import { didYouMean } from './settings/did-you-mean.ts'
import { checkEnvironment, type Environment } from './settings/environment.ts'
import { type Configuration, coinsFile, configuration, type TrackedCoin } from './settings/schema.ts'
import { readYamlFile, type YamlFile } from './settings/yaml-file.ts'

/** Read once, validated, frozen. */
export type Settings = Readonly<Configuration & { environment: Environment; coins: readonly TrackedCoin[] }>

export const configDir = fileURLToPath(new URL('config', packageDir))

/**
 * Merges environment, `config/default.yaml` and the operator's file (`BEACON_CONFIG`). Throws InvalidInput with all
 * mistakes, with line and path.
 */
export function readSettings(variables: NodeJS.ProcessEnv, overlay?: string): Settings {
  const { data: environment, mistakes: ofEnvironment } = checkEnvironment(variables)
  const ofFiles = readFiles(overlay ?? variables.BEACON_CONFIG)
  const mistakes = [...ofEnvironment.map((mistake) => `environment: ${mistake}`), ...ofFiles.mistakes]
  const { checked, coins } = ofFiles
  if (environment === undefined || checked === undefined || coins === undefined || mistakes.length > 0)
    throw mistaken(mistakes)
  return Object.freeze({ ...checked, environment, coins })
}

function mistaken(mistakes: readonly string[]): InvalidInput {
  const [first = '', ...others] = mistakes
  return new InvalidInput(
    others.length === 0
      ? first
      : [`${mistakes.length} settings are wrong:`, ...mistakes.map((mistake) => `  ${mistake}`)].join('\n'),
  )
}

type ReadFiles = Readonly<{
  checked?: Configuration | undefined
  coins?: readonly TrackedCoin[] | undefined
  mistakes: readonly string[]
}>

function readFiles(overlay: string | undefined): ReadFiles {
  const read = [join(configDir, 'default.yaml'), ...(overlay ? [resolve(overlay)] : [])].map(readYamlFile)
  const files = read.flatMap(({ file }) => file ?? [])
  const unread = read.flatMap((one) => one.mistakes)
  if (unread.length > 0) return { mistakes: unread }
  const merged = withoutOff(files.map(({ content }) => content).reduce(layOver))
  const { data: checked, mistakes } = checkContent(configuration, merged, files)
  const sections = readableSections(configuration, merged)
  const coins = readCoins(sections, files)
  return {
    checked,
    coins: coins.coins,
    mistakes: [...mistakes, ...contradictionsIn(sections, files), ...coins.mistakes],
  }
}

const contradictionsIn = (sections: Sections, files: readonly YamlFile[]): string[] =>
  findContradictions(sections).map(
    ({ path, others = [], message }) => `${placeOf(files, path, ...others)}: ${path.join('.')} ${message}`,
  )

function readCoins({ coinsFile: name, track }: Sections, files: readonly YamlFile[]): ReadFiles {
  // Reported as a mistake already.
  if (name === undefined) return { mistakes: [] }
  const { file, mistakes: unread } = readYamlFile(
    resolve(dirname(fileThatHolds(files, ['coinsFile']).name), name),
  )
  if (file === undefined) return { mistakes: unread }
  const { data, mistakes } = checkContent(coinsFile, file.content, [file])
  if (data === undefined || track === undefined) return { mistakes }
  if (track === 'all') return { coins: data, mistakes }
  const chosen = track.map((id) => data.find((coin) => coin.id === id) ?? id)
  const unknown = chosen.filter((one) => typeof one === 'string')
  const known = data.map(({ id }) => id)
  return {
    coins: chosen.filter((one) => typeof one !== 'string'),
    mistakes: unknown.map(
      (id) => `${placeOf(files, ['track'])}: no coin "${id}" in the coins file.${didYouMean(id, known)}`,
    ),
  }
}
