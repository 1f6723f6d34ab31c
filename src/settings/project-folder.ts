import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Operator's files in a project folder. */
export const configName = 'beacon.yaml'
export const environmentName = '.env'
const dataName = '.beacon'

/**
 * The nearest folder upwards with `beacon.yaml` or `.beacon`. Parents only if owned by us, root or this folder's owner,
 * since every user can write to /tmp.
 */
function projectFolder(from: string): string | undefined {
  const trusted = [0, process.getuid?.(), statSync(from).uid]
  for (let folder = from; ; folder = dirname(folder)) {
    const [config, data] = [join(folder, configName), join(folder, dataName)]
    const found = isFile(config) ? config : isFolder(data) ? data : undefined
    if (found !== undefined && (folder === from || trusted.includes(statSync(found).uid))) return folder
    if (dirname(folder) === folder) return undefined
  }
}

const isFile = (path: string): boolean => existsSync(path) && statSync(path).isFile()
const isFolder = (path: string): boolean => existsSync(path) && statSync(path).isDirectory()

/** Variables from the project folder: `.env`, configuration and data folder. */
export function projectVariables(
  variables: NodeJS.ProcessEnv,
  workingFolder: string,
): Readonly<Record<string, string>> {
  const folder = projectFolder(workingFolder)
  if (folder === undefined) return {}
  const config = join(folder, configName)
  const environment = join(folder, environmentName)
  const isConfigured = isFile(config)
  const added = {
    ...(folder === workingFolder ? {} : { BEACON_DATA_DIR: join(folder, dataName) }),
    ...(isConfigured ? { BEACON_CONFIG: config } : {}),
    ...(isConfigured && isFile(environment) ? readEnvironmentText(readFileSync(environment, 'utf8')) : {}),
  }
  return Object.fromEntries(Object.entries(added).filter(([name]) => variables[name] === undefined))
}

/** `NAME=value` lines, optionally quoted, `#` comments. Node 20.0 has no parser. */
export function readEnvironmentText(text: string): Record<string, string> {
  const lines = text.matchAll(
    /^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)[ \t]*=[ \t]*(?:"([^"\n]*)"|'([^'\n]*)'|([^\n]*?))[ \t]*(?:[ \t]#[^\n]*)?\r?$/gm,
  )
  return Object.fromEntries(
    [...lines].flatMap(([, name = '', double, single, plain = '']) => {
      const value = double ?? single ?? plain
      return value === '' ? [] : [[name, value]]
    }),
  )
}
