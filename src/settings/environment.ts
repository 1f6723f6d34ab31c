import { isIP } from 'node:net'
import { z } from 'zod'
import { baseUrlVariable } from './base-url-variable.ts'
import { readDatabaseUrl } from './database-url.ts'
import { type EncryptionKey, readEncryptionKeys } from './encryption-keys.ts'
import { logLevels } from './log-level.ts'
import { examine, plainIssues } from './plain-issues.ts'
import { readRedisUrl } from './redis-url.ts'
import { sourceIds } from './source-ids.ts'
import { ccxtSourcesIn, unknownVariables } from './variables.ts'

const url = (...protocols: string[]) =>
  z.string().refine((text) => protocols.includes(URL.canParse(text) ? new URL(text).protocol : ''), {
    error: `is not a URL of the form ${protocols.map((protocol) => `${protocol}//host`).join(' or ')}`,
  })

function encryptionKeys(text: string, context: z.RefinementCtx): readonly EncryptionKey[] {
  const { keys, mistakes } = readEncryptionKeys(text)
  for (const message of mistakes) context.addIssue({ code: 'custom', message })
  return keys
}

const notAPort = { error: 'is not a port number from 0 to 65535' }

const isPort = (text: string): boolean => /^\d{1,5}$/.test(text) && Number(text) <= 65_535

const notAnArchivePlace = { error: 'is neither a folder nor of the form s3://bucket/prefix' }

/** A path, `file:///folder`, or `s3://bucket/prefix?endpoint=https://host&region=name`. */
function isArchivePlace(text: string): boolean {
  if (!/^[a-z0-9+.-]+:\/\//i.test(text)) return true
  if (!URL.canParse(text)) return false
  const { protocol, hostname, username, searchParams } = new URL(text)
  const endpoint = searchParams.get('endpoint')
  if (protocol === 'file:') return hostname === ''
  return (
    protocol === 's3:' && hostname !== '' && username === '' && (endpoint === null || URL.canParse(endpoint))
  )
}

const notABasePath = { error: 'is not a path of the form /beacon' }

/** `/beacon`; `/` means none. */
const isBasePath = (text: string): boolean =>
  /^(?:\/[A-Za-z0-9._~-]+)*\/?$/.test(text) && !/\/\.{1,2}(?:\/|$)/.test(text)

const withoutSlash = (path: string): string => path.replace(/\/+$/, '')

const notProxies = {
  error: 'is neither a number of proxies from 1 to 10 nor a list of addresses as in 10.0.0.0/8,::1',
}

/** Number of proxies, or their addresses. */
type TrustedProxies = number | readonly string[]

const toProxies = (text: string): TrustedProxies =>
  /^\d+$/.test(text) ? Number(text) : text.split(',').map((one) => one.trim())

const areProxies = (proxies: TrustedProxies): boolean =>
  typeof proxies === 'number' ? proxies >= 1 && proxies <= 10 : proxies.every(isAddressRange)

function isAddressRange(text: string): boolean {
  const [address = '', prefix, ...more] = text.split('/')
  const version = isIP(address)
  if (version === 0 || more.length > 0) return false
  if (prefix === undefined) return true
  if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > (version === 4 ? 32 : 128)) return false
  // Would trust everybody.
  return Number(prefix) > 0
}
/** Valid if `read` returns no mistake. */
const readableBy = (read: (text: string) => unknown) =>
  z.string().superRefine((text, context) => {
    const mistake = read(text)
    if (typeof mistake === 'string') context.addIssue({ code: 'custom', message: mistake })
  })

const environment = z.object({
  DATABASE_URL: readableBy(readDatabaseUrl).optional(),
  REDIS_URL: readableBy(readRedisUrl).optional(),
  ARCHIVE_URL: z.string().refine(isArchivePlace, notAnArchivePlace).optional(),
  BEACON_CONFIG: z.string().optional(),
  BEACON_DATA_DIR: z.string().default('.beacon'),
  BEACON_HTTP_HOST: z.string().default('127.0.0.1'),
  BEACON_HTTP_PORT: z.string().refine(isPort, notAPort).transform(Number).default(3000),
  BEACON_HTTP_BASE_PATH: z.string().refine(isBasePath, notABasePath).transform(withoutSlash).default(''),
  BEACON_TRUST_PROXY: z.string().transform(toProxies).refine(areProxies, notProxies).optional(),
  BEACON_HTTP_PASSWORD: z.string().min(8, { error: 'is shorter than 8 characters' }).optional(),
  BEACON_ENCRYPTION_KEYS: z.string().transform(encryptionKeys).optional(),
  BEACON_LOG_LEVEL: z.enum(logLevels, { error: `is none of ${logLevels.join(', ')}` }).default('info'),
  COINGECKO_API_KEY: z.string().optional(),
  BEACON_BUDGET: z.enum(['unlimited', 'limited'], { error: 'is not "unlimited"' }).default('limited'),
  OTEL_EXPORTER_OTLP_ENDPOINT: url('http:', 'https:').optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url('http:', 'https:').optional(),
  OTEL_TRACES_EXPORTER: z.string().optional(),
  OTEL_SDK_DISABLED: z.string().optional(),
})

export type Environment = Readonly<{
  databaseUrl?: string
  redisUrl?: string
  /** Defaults to a folder in the data folder. */
  archiveUrl?: string
  configFile?: string
  dataDir: string
  httpHost: string
  httpPort: number
  /** `/beacon` or empty. */
  httpBasePath: string
  /** Proxies trusted for client addresses. */
  trustProxy?: TrustedProxies
  httpPassword?: string
  /** The first encrypts, all decrypt. */
  encryptionKeys?: readonly EncryptionKey[]
  logLevel: (typeof logLevels)[number]
  coingeckoApiKey?: string
  unlimitedBudget: boolean
  /** Absent: no traces. */
  tracesUrl?: string
  /** Source id → host, from `<SOURCE>_BASE_URL`. */
  baseUrls: Readonly<Record<string, string>>
}>

type CheckedEnvironment = Readonly<{ data: Environment | undefined; mistakes: readonly string[] }>

/** Empty means unset. Mistakes never quote values. */
export function checkEnvironment(variables: NodeJS.ProcessEnv): CheckedEnvironment {
  const given = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== ''))
  const result = examine(environment, given)
  const { baseUrls, mistakes: wrongUrls } = readBaseUrls(given)
  const mistakes = [
    ...(result.success ? [] : plainIssues(result.error, 'the environment')),
    ...wrongUrls,
    ...unknownVariables(given, Object.keys(environment.shape)),
  ]
  return result.success && mistakes.length === 0
    ? { data: environmentOf(result.data, baseUrls), mistakes }
    : { data: undefined, mistakes }
}

function readBaseUrls(given: Readonly<Record<string, string | undefined>>) {
  const baseUrls: Record<string, string> = {}
  const mistakes: string[] = []
  for (const id of [...sourceIds, ...ccxtSourcesIn(given)]) {
    const name = baseUrlVariable(id)
    const value = given[name]
    if (value === undefined) continue
    const checked = examine(url('http:', 'https:'), value)
    if (checked.success) baseUrls[id] = value.replace(/\/+$/, '')
    else mistakes.push(...checked.error.issues.map(({ message }) => `${name} ${message}`))
  }
  return { baseUrls, mistakes }
}

function environmentOf(data: z.infer<typeof environment>, baseUrls: Environment['baseUrls']): Environment {
  return Object.freeze({
    ...optional('databaseUrl', data.DATABASE_URL),
    ...optional('redisUrl', data.REDIS_URL),
    ...optional('archiveUrl', data.ARCHIVE_URL),
    ...optional('configFile', data.BEACON_CONFIG),
    dataDir: data.BEACON_DATA_DIR,
    httpHost: data.BEACON_HTTP_HOST,
    httpPort: data.BEACON_HTTP_PORT,
    httpBasePath: data.BEACON_HTTP_BASE_PATH,
    ...(data.BEACON_TRUST_PROXY === undefined ? {} : { trustProxy: data.BEACON_TRUST_PROXY }),
    ...optional('httpPassword', data.BEACON_HTTP_PASSWORD),
    ...(data.BEACON_ENCRYPTION_KEYS && { encryptionKeys: data.BEACON_ENCRYPTION_KEYS }),
    logLevel: data.BEACON_LOG_LEVEL,
    ...optional('coingeckoApiKey', data.COINGECKO_API_KEY),
    unlimitedBudget: data.BEACON_BUDGET === 'unlimited',
    ...optional('tracesUrl', tracesUrlOf(data)),
    baseUrls,
  })
}

/** Standard OpenTelemetry variables: https://opentelemetry.io/docs/specs/otel/protocol/exporter */
function tracesUrlOf(variables: z.infer<typeof environment>): string | undefined {
  if (variables.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return undefined
  if (variables.OTEL_TRACES_EXPORTER === 'none') return undefined
  const base = variables.OTEL_EXPORTER_OTLP_ENDPOINT
  const ofAllSignals = base === undefined ? undefined : `${base.replace(/\/+$/, '')}/v1/traces`
  return variables.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? ofAllSignals
}

const optional = <K extends string>(key: K, value: string | undefined): Partial<Record<K, string>> =>
  value === undefined ? {} : ({ [key]: value } as Partial<Record<K, string>>)
