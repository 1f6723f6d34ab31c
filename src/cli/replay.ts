import { once } from 'node:events'
import { Command } from 'commander'
import { InvalidInput } from '../fault.ts'
import type { Face } from '../replay/face.ts'
import type { UsualLie } from '../replay/usual-lies.ts'
import { baseUrlVariable, baseUrlVariables } from '../settings/base-url-variable.ts'
import { didYouMean } from '../settings/did-you-mean.ts'
import { readCount } from './arguments.ts'
import { answer, say } from './output.ts'
import { type Session, withSession } from './session.ts'

type Options = Readonly<{
  port?: string
  source?: readonly string[]
  limits: string
  lie?: readonly string[]
  lieEvery?: string
  json?: true
}>

export const replayCommand = (): Command =>
  new Command('replay')
    .option('--port <first>', 'the first of consecutive ports (default: any that are free)')
    .option('--source <id...>', 'speak as these sources only (default: all)')
    .option('--limits <which>', 'enforce the real limits of each source, or none', 'real')
    .option('--lie <name...>', 'lie now and then: several lies take turns')
    .option('--lie-every <count>', 'lie about every so manieth request; 5 when left out')
    .option('--json', 'print the URLs as JSON')
    .addHelpText(
      'after',
      '\nWhat it prints is a file of environment variables: `beacon replay > replay.env`. All lies: docs/replay.md.' +
        '\nBEACON_LOG_LEVEL=debug shows every request.',
    )
    .action((options: Options) => withSession((session) => replay(session, options)))

async function replay({ clock, log, releases, signal }: Session, options: Options): Promise<void> {
  // Half a megabyte of recordings that no other command needs.
  const { faces } = await import('../replay/faces.ts')
  const { openReplayExchange } = await import('../replay/exchange.ts')
  const { inTurn } = await import('../replay/usual-lies.ts')
  if (options.lieEvery !== undefined && options.lie === undefined)
    throw new InvalidInput('--lie-every says how often to lie: add --lie NAME')
  const chosen = chooseFaces(faces, options.source)
  const exchange = await openReplayExchange({
    clock,
    log,
    faces: chosen,
    port: readFirstPort(options.port, chosen.length),
    ...(readLimits(options.limits) === 'none' && { limits: 'none' }),
    faults: inTurn(
      await readLies(options.lie ?? []),
      readCount('--lie-every', options.lieEvery ?? '5', 1_000_000),
    ),
  })
  releases.push(() => exchange.close())
  const variables = baseUrlVariables(exchange.urls)
  const told = [...exchange.urls].map(([source, url]) => ({ source, url, variable: baseUrlVariable(source) }))
  answer(options.json, told, () =>
    Object.entries(variables)
      .map(([name, url]) => `${name}=${url}`)
      .join('\n'),
  )
  say('Playing recorded candles, one a minute, as if they were now. Ctrl-C ends it.')
  if (!signal.aborted) await once(signal, 'abort')
}

function chooseFaces(faces: readonly Face[], ids: readonly string[] | undefined): readonly Face[] {
  if (!ids) return faces
  const known = faces.map(({ source }) => source)
  return [...new Set(ids)].map((id) => {
    const face = faces.find(({ source }) => source === id)
    if (face) return face
    throw new InvalidInput(
      `no source "${id}" to replay.${didYouMean(id, known)} There is ${known.join(', ')}`,
    )
  })
}

/** 0 where any port will do. */
function readFirstPort(text: string | undefined, count: number): number {
  return text === undefined ? 0 : readCount('--port', text, 65_536 - count)
}

function readLimits(text: string): 'real' | 'none' {
  if (text === 'real' || text === 'none') return text
  throw new InvalidInput(`--limits ${text} is unknown; there is real and none`)
}

async function readLies(names: readonly string[]): Promise<UsualLie[]> {
  const { isUsualLie, usualLies } = await import('../replay/usual-lies.ts')
  const known = Object.keys(usualLies)
  return [...new Set(names)].map((name) => {
    if (isUsualLie(name)) return name
    throw new InvalidInput(`no lie "${name}".${didYouMean(name, known)} There is ${known.join(', ')}`)
  })
}
