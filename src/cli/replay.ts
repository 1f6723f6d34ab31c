import { once } from 'node:events'
import { Command } from 'commander'
import { InvalidInput } from '../fault.ts'
import type { Endpoint } from '../replay/endpoint.ts'
import type { UsualFault } from '../replay/faults/usual-faults.ts'
import { baseUrlVariable, baseUrlVariables } from '../settings/base-url-variable.ts'
import { didYouMean } from '../settings/did-you-mean.ts'
import { readCount } from './arguments.ts'
import { type Session, withSession } from './session.ts'
import { answer, say } from './terminal/output.ts'

type Options = Readonly<{
  port?: string
  source?: readonly string[]
  limits: string
  fault?: readonly string[]
  faultEvery?: string
  json?: true
}>

export const replayCommand = (): Command =>
  new Command('replay')
    .option('--port <first>', 'use consecutive ports from this one; default: free ones')
    .option('--source <id...>', 'serve these sources; default: all')
    .option('--limits <which>', 'enforce rate limits: real or none', 'real')
    .option('--fault <name...>', 'inject faults, several in turn')
    .option('--fault-every <count>', 'inject the fault into every Nth request; default: 5')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nPrints environment variables for other commands: `beacon replay > replay.env`. Faults: docs/replay.md.' +
        '\nSet BEACON_LOG_LEVEL=debug to log every request.',
    )
    .action((options: Options) => withSession((session) => replay(session, options)))

async function replay({ clock, log, releases, signal }: Session, options: Options): Promise<void> {
  // Half a megabyte of recordings.
  const { endpoints } = await import('../replay/endpoints.ts')
  const { openReplayExchange } = await import('../replay/exchange.ts')
  const { inTurn } = await import('../replay/faults/usual-faults.ts')
  if (options.faultEvery !== undefined && options.fault === undefined)
    throw new InvalidInput('--fault-every needs a fault: add --fault NAME, such as --fault html')
  const chosen = chooseEndpoints(endpoints, options.source)
  const exchange = await openReplayExchange({
    clock,
    log,
    endpoints: chosen,
    port: readFirstPort(options.port, chosen.length),
    ...(readLimits(options.limits) === 'none' && { limits: 'none' }),
    faults: inTurn(
      await readFaults(options.fault ?? []),
      readCount('--fault-every', options.faultEvery ?? '5', 1_000_000),
    ),
  })
  releases.push(() => exchange.close())
  const variables = baseUrlVariables(exchange.urls)
  const reported = [...exchange.urls].map(([source, url]) => ({
    source,
    url,
    variable: baseUrlVariable(source),
  }))
  answer(options.json, reported, () =>
    Object.entries(variables)
      .map(([name, url]) => `${name}=${url}`)
      .join('\n'),
  )
  say('Playing recorded candles, one a minute, as if they were now. Ctrl-C ends it.')
  if (!signal.aborted) await once(signal, 'abort')
}

function chooseEndpoints(
  endpoints: readonly Endpoint[],
  ids: readonly string[] | undefined,
): readonly Endpoint[] {
  if (!ids) return endpoints
  const known = endpoints.map(({ source }) => source)
  return [...new Set(ids)].map((id) => {
    const endpoint = endpoints.find(({ source }) => source === id)
    if (endpoint) return endpoint
    throw new InvalidInput(
      `no source "${id}" to replay.${didYouMean(id, known)} There is ${known.join(', ')}`,
    )
  })
}

/** 0: any port. */
function readFirstPort(text: string | undefined, count: number): number {
  return text === undefined ? 0 : readCount('--port', text, 65_536 - count)
}

function readLimits(text: string): 'real' | 'none' {
  if (text === 'real' || text === 'none') return text
  throw new InvalidInput(`--limits ${text} is unknown; there is real and none`)
}

async function readFaults(names: readonly string[]): Promise<UsualFault[]> {
  const { isUsualFault, usualFaults } = await import('../replay/faults/usual-faults.ts')
  const known = Object.keys(usualFaults)
  return [...new Set(names)].map((name) => {
    if (isUsualFault(name)) return name
    throw new InvalidInput(`no fault "${name}".${didYouMean(name, known)} There is ${known.join(', ')}`)
  })
}
