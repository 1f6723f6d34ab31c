import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import { Aborted, InvalidInput, Misconfigured, Unavailable } from '../../fault.ts'
import { kindOf, OutputFile } from '../../files/export/output-file.ts'
import type { Timeframe } from '../../market/timeframe.ts'
import { readTopology } from '../../queue/redis/topology.ts'
import { serversOf } from '../../queue/redis-store.ts'
import { openServer } from '../../runtime/database.ts'
import { reasonOf } from '../../runtime/when-answering.ts'
import { parseDuration } from '../../settings/duration.ts'
import { configName, environmentName } from '../../settings/project-folder.ts'
import { readSettings, type Settings } from '../../settings.ts'
import { asJson, someTimeframes } from '../arguments/options.ts'
import { readCount, readTimeframes } from '../arguments.ts'
import { type Session, withSession } from '../session.ts'
import { answer } from '../terminal/output.ts'
import { type Choices, configText, environmentText } from './init-files.ts'
import { type Ask, canAsk, withQuestions } from './init-questions.ts'

type InitOptions = Readonly<{
  databaseUrl?: string
  redisUrl?: string
  top?: string
  timeframe?: string
  keep?: string
  json?: boolean
}>

export const initCommand = (): Command =>
  new Command('init')
    .option('--database-url <url>', 'use this PostgreSQL; default: embedded')
    .option('--redis-url <url>', 'use this Redis for the queue; default: PostgreSQL')
    .option('--top <count>', 'track the first coins of the bundled list; default: all')
    .addOption(someTimeframes())
    .option('--keep <list>', 'set how long to keep: 1m="7 days",1h=forever')
    .addOption(asJson())
    .action((options: InitOptions) =>
      withSession((session) => runInit(session, options), { settings: readSettings({}) }),
    )

async function runInit(session: Session, options: InitOptions): Promise<void> {
  const [config, environment] = [configName, environmentName].map((name) => join(process.cwd(), name))
  if (config === undefined || environment === undefined) return
  await refuseAny([config, environment])
  const { settings } = session
  const read = (ask: Ask) => readChoices(settings, options, ask)
  const choices = canAsk()
    ? await withQuestions(session.signal, read).catch(asAborted)
    : await read(async ({ fallback }) => fallback)
  await tryConnections(session, choices)
  await writeBoth({ config, environment }, choices, settings)
  answer(
    options.json,
    { config, environment, next: 'beacon start' },
    () =>
      `Created ${configName} and ${environmentName}. Edit them at any time, and check them with: beacon doctor\nNext: beacon start`,
  )
}

function asAborted(error: unknown): never {
  throw error instanceof Error && error.name === 'AbortError'
    ? new Aborted('stopped; nothing was created')
    : error
}

async function refuseAny(paths: readonly string[]): Promise<void> {
  for (const path of paths)
    if ((await kindOf(path)) !== undefined)
      throw new InvalidInput(
        `${path} exists, and init overwrites nothing: edit it, or run init in another folder`,
      )
}

async function readChoices(settings: Settings, options: InitOptions, ask: Ask): Promise<Choices> {
  const configured = Object.keys(settings.timeframes).join(',')
  const known = settings.coins.map(({ id }) => id)
  const none = 'none'
  const database =
    options.databaseUrl ??
    (await ask({ text: 'URL of PostgreSQL, or none for an embedded server', fallback: none }))
  const redis =
    options.redisUrl ??
    (await ask({ text: 'URL of Redis, or none to keep the queue in PostgreSQL', fallback: none }))
  const top =
    options.top ??
    (await ask({ text: 'Number of coins, from the top of the bundled list', fallback: String(known.length) }))
  const list = options.timeframe ?? (await ask({ text: 'Timeframes', fallback: configured }))
  const timeframes = readTimeframes(list, settings)
  const keep =
    options.keep ??
    (await ask({ text: 'Keeping times, such as 1m="7 days",1h=forever', fallback: 'defaults' }))
  const choices = {
    databaseUrl: database === none ? undefined : database,
    redisUrl: redis === none ? undefined : redis,
    coins: known.slice(0, readCount('--top', top, known.length)),
    timeframes,
    keep: keep === 'defaults' ? new Map() : readKeep(keep, timeframes),
  }
  // Validates the URLs.
  readSettings(variablesOf(choices))
  return choices
}

const variablesOf = ({ databaseUrl, redisUrl }: Pick<Choices, 'databaseUrl' | 'redisUrl'>) => ({
  ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }),
  ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
})

/** `1m=7 days,1h=forever` */
function readKeep(text: string, timeframes: readonly Timeframe[]): Map<Timeframe, number | 'forever'> {
  const entries = text.split(',').map((part): [Timeframe, number | 'forever'] => {
    const [name = '', duration = ''] = part.split('=').map((one) => one.trim().replaceAll('"', ''))
    const timeframe = timeframes.find((one) => one === name)
    if (timeframe === undefined)
      throw new InvalidInput(
        `--keep names "${name}", which is not chosen. Chosen timeframes: ${timeframes.join(', ')}`,
      )
    const ms = parseDuration(duration.replace(/^(\d+)d$/, '$1 days'))
    if (duration === 'forever') return [timeframe, 'forever']
    if (ms === undefined || ms <= 0)
      throw new InvalidInput(
        `--keep ${name}=${duration} is not a time: write for example ${name}="30 days" or ${name}=forever`,
      )
    return [timeframe, ms]
  })
  return new Map(entries)
}

/** Throws if a server does not answer, before writing. */
async function tryConnections(session: Session, choices: Choices): Promise<void> {
  const settings = readSettings(variablesOf(choices))
  if (choices.databaseUrl !== undefined) await openServer({ ...session, settings }, 0)
  if (choices.redisUrl === undefined) return
  try {
    await readTopology(serversOf(choices.redisUrl))
  } catch (cause) {
    if (cause instanceof Misconfigured) throw cause
    throw new Unavailable(
      `Redis does not answer (${reasonOf(cause)}): start it, or choose another --redis-url`,
      { cause },
    )
  }
}

type Paths = Readonly<{ config: string; environment: string }>

/** Both or none; validated before renaming. */
async function writeBoth(
  { config, environment }: Paths,
  choices: Choices,
  defaults: Settings,
): Promise<void> {
  const draft = await OutputFile.create(config)
  try {
    await draft.write(Buffer.from(configText(choices, defaults)))
    await draft.finish()
    readSettings(variablesOf(choices), draft.draft)
    await refuseAny([config, environment])
    await writeFile(environment, environmentText(choices), { mode: 0o600, flag: 'wx' })
    await draft.publish()
  } catch (error) {
    await draft.discard()
    throw error
  }
}
