import type { Timeframe } from '../../market/timeframe.ts'
import { durationText } from '../../settings/duration.ts'
import type { Settings } from '../../settings.ts'

export type Choices = Readonly<{
  databaseUrl: string | undefined
  redisUrl: string | undefined
  coins: readonly string[]
  timeframes: readonly Timeframe[]
  /** In ms. */
  keep: ReadonlyMap<Timeframe, number | 'forever'>
}>

/** Differences from the defaults, and hints. */
export function configText({ coins, timeframes, keep }: Choices, defaults: Settings): string {
  const isAll = coins.length === defaults.coins.length
  const policies = Object.keys(defaults.timeframes) as Timeframe[]
  return `# Configuration of Beacon Ingest: what differs from the defaults.
# Every setting with its unit and reason: docs/configuration.md of the package beacon-ingest.

# Which coins are tracked: all of the bundled list, or a list of ids.
# Track others with: beacon coins add COIN --market SOURCE:SYMBOL
track:${isAll ? ' all' : `\n${coins.map((id) => `  - ${id}`).join('\n')}`}

# How candles are stored. history: range that the daemon keeps complete. keep: age at which retention deletes or archives.
# Other timeframes: 15m, 30m, 4h, such as
#   4h: { partition: month, ahead: 2, history: 30 days, keep: forever }
timeframes:
${policies.map((timeframe) => `  ${timeframe}: ${policyText(timeframe, timeframes, keep, defaults)}`).join('\n')}
`
}

function policyText(
  timeframe: Timeframe,
  chosen: readonly Timeframe[],
  keep: Choices['keep'],
  { timeframes }: Settings,
): string {
  if (!chosen.includes(timeframe)) return 'off'
  const policy = timeframes[timeframe]
  const kept = keep.get(timeframe) ?? policy?.keep ?? 'forever'
  const wanted = policy?.history ?? 0
  const history = kept === 'forever' ? wanted : Math.min(wanted, kept)
  return `{ history: ${durationText(history)}, keep: ${kept === 'forever' ? kept : durationText(kept)} }`
}

/** Set variables take precedence. */
export const environmentText = ({ databaseUrl, redisUrl }: Choices): string =>
  `# Environment of Beacon Ingest: every command in this folder reads it. Variables that are set count before it.
# All of them: docs/environment.md of the package beacon-ingest.

# PostgreSQL 15 or newer. Without it, an embedded PostgreSQL in .beacon/ is used.
${variableLine('DATABASE_URL', databaseUrl, 'postgresql://beacon:secret@localhost:5432/beacon')}

# Redis or Valkey 6.2 or newer, with maxmemory-policy noeviction. Without it, the queue is in PostgreSQL.
${variableLine('REDIS_URL', redisUrl, 'redis://localhost:6379')}

# The status page. A host other than this machine needs BEACON_HTTP_PASSWORD.
# BEACON_HTTP_HOST=127.0.0.1
# BEACON_HTTP_PORT=3000
# BEACON_HTTP_PASSWORD=
`

const variableLine = (name: string, value: string | undefined, example: string): string =>
  value === undefined ? `# ${name}=${example}` : `${name}=${quotedValue(value)}`

const quotedValue = (value: string): string => (/^[\w:/.@%+=,-]+$/.test(value) ? value : `'${value}'`)
