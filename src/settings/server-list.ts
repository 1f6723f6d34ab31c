export type ServerAddress = Readonly<{ host: string; port: number }>

/** `scheme://[user[:password]@]host[:port][,host[:port]…][/path][?query]` */
export type ServerListUrl = Readonly<{
  scheme: string
  username?: string
  password?: string
  /** With its `@`, or empty. */
  login: string
  servers: readonly ServerAddress[]
  /** Without the leading slash. */
  path: string
  query: URLSearchParams
}>

const form = /^([a-z][a-z0-9+.-]*):\/\/(?:([^/?#]*)@)?([^/?#@]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/i
const address = /^(?:\[([0-9a-f:.%a-z]+)\]|([^\s:[\]]+))(?::(\d{1,5}))?$/i

/** Accepts several hosts, unlike URL. Undefined if invalid. */
export function readServerListUrl(text: string, defaultPort: number): ServerListUrl | undefined {
  const [, scheme = '', login, list = '', path = '', query = ''] = form.exec(text) ?? []
  if (scheme === '') return undefined
  const servers = list === '' ? [] : list.split(',').map((one) => readAddress(one, defaultPort))
  if (!servers.every((one) => one !== undefined)) return undefined
  const [username = '', password = ''] = (login ?? '').split(/:(.*)/s).map(decode)
  return {
    scheme: scheme.toLowerCase(),
    ...(username === '' ? {} : { username }),
    ...(password === '' ? {} : { password }),
    login: login === undefined ? '' : `${login}@`,
    servers,
    path,
    query: new URLSearchParams(query),
  }
}

function readAddress(text: string, defaultPort: number): ServerAddress | undefined {
  const [, ipv6, name, port] = address.exec(text) ?? []
  const host = ipv6 ?? name
  if (host === undefined) return undefined
  const number = port === undefined ? defaultPort : Number(port)
  return number > 65_535 ? undefined : { host, port: number }
}

/** Unencoded passwords may contain percent signs. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    if (error instanceof URIError) return text
    throw error
  }
}

/** `10.0.0.1:5432`, `[::1]:5432` */
export const serverName = ({ host, port }: ServerAddress): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`
