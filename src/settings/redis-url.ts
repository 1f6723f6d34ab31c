import { readServerListUrl, type ServerAddress } from './server-list.ts'

type Login = Readonly<{ username?: string; password?: string }>

/** Whether `direct` servers are single, replicated or a cluster is detected. */
export type RedisServers = Login &
  Readonly<{
    tls: boolean
    database: number
    servers: readonly ServerAddress[]
    /** Set if the addresses are Sentinels. */
    sentinel?: Login & Readonly<{ primaryName: string }>
  }>

const redisPort = 6379
const sentinelPort = 26_379

const forms: Readonly<Record<string, Readonly<{ tls: boolean; sentinel: boolean }>>> = {
  redis: { tls: false, sentinel: false },
  rediss: { tls: true, sentinel: false },
  'redis+sentinel': { tls: false, sentinel: true },
  'rediss+sentinel': { tls: true, sentinel: true },
}

const notOurForm =
  'is not a URL of the form redis://host or rediss://host, with several hosts redis://host:6379,host:6379, ' +
  'nor redis+sentinel://host:26379,host:26379/NAME-OF-THE-PRIMARY'

/** A string is the mistake, following the variable's name. */
export function readRedisUrl(text: string): RedisServers | string {
  const scheme = /^[^:]*/.exec(text)?.[0].toLowerCase() ?? ''
  const known = Object.hasOwn(forms, scheme) ? forms[scheme] : undefined
  if (!known) return notOurForm
  const url = readServerListUrl(text, known.sentinel ? sentinelPort : redisPort)
  if (!url || url.servers.length === 0) return notOurForm
  const [first = '', ...others] = url.path.split('/')
  const databaseText = known.sentinel ? others.join('/') : url.path
  if (known.sentinel && first === '') {
    return 'names no primary: end it with the name that the Sentinels monitor, redis+sentinel://host:26379/mymaster'
  }
  if (!/^\d{0,6}$/.test(databaseText))
    return 'names a database that is not a number, as in redis://host:6379/0'
  const unknown = [...url.query.keys()].find((name) => !queryNames.has(name))
  if (unknown !== undefined) {
    return `has the parameter ${unknown}, which is unknown: there is ${[...queryNames].join(' and ')}, for Sentinels`
  }
  return {
    tls: known.tls,
    ...loginOf(url.username, url.password),
    database: Number(databaseText),
    servers: url.servers,
    ...(known.sentinel ? { sentinel: { primaryName: first, ...sentinelLogin(url.query) } } : {}),
  }
}

const queryNames = new Set(['sentinelUsername', 'sentinelPassword'])

const sentinelLogin = (query: URLSearchParams): Login =>
  loginOf(query.get('sentinelUsername') ?? undefined, query.get('sentinelPassword') ?? undefined)

const loginOf = (username: string | undefined, password: string | undefined): Login => ({
  ...(username === undefined ? {} : { username }),
  ...(password === undefined ? {} : { password }),
})
