import { readServerListUrl, type ServerAddress, type ServerListUrl, serverName } from './server-list.ts'

/** `url` names only this server. */
export type DatabaseAddress = ServerAddress & Readonly<{ url: string }>

const postgresPort = 5432
const notOurForm =
  'is not a URL of the form postgres://host or postgresql://host, or with several hosts ' +
  'postgresql://host:5432,host:5432/database?target_session_attrs=read-write'

/** Compatible with writing. */
const writing = new Set(['any', 'read-write', 'primary'])

/** Hosts as in libpq, in the authority or as parameters. A string is the mistake, following the variable's name. */
export function readDatabaseUrl(text: string): readonly DatabaseAddress[] | string {
  const url = readServerListUrl(text, postgresPort)
  if (!url || !['postgres', 'postgresql'].includes(url.scheme)) return notOurForm
  const wanted = url.query.get('target_session_attrs')
  if (wanted !== null && !writing.has(wanted)) {
    return `has target_session_attrs=${wanted}: the tables are written, so it must be read-write`
  }
  const servers = serversOf(url)
  if (!servers) return notOurForm
  const [first, ...others] = servers
  // The driver uses PGHOST and PGPORT.
  if (first === undefined) return [{ host: 'localhost', port: postgresPort, url: text }]
  if (others.length === 0) return [{ ...first, url: text }]
  const query = new URLSearchParams(url.query)
  for (const name of ['target_session_attrs', 'host', 'port']) query.delete(name)
  return servers.map((server) => {
    const search = query.size === 0 ? '' : `?${query}`
    return { ...server, url: `${url.scheme}://${url.login}${serverName(server)}/${url.path}${search}` }
  })
}

/** Undefined if host and port counts differ. */
function serversOf(url: ServerListUrl): ServerAddress[] | undefined {
  const [hosts, ports] = [url.query.get('host'), url.query.get('port')]
  if (hosts === null && ports === null) return [...url.servers]
  const [first] = url.servers
  const names = hosts?.split(',') ?? [first?.host ?? 'localhost']
  const numbers = (ports ?? String(first?.port ?? postgresPort)).split(',').map(Number)
  if (numbers.length !== 1 && numbers.length !== names.length) return undefined
  if (!numbers.every((port) => Number.isInteger(port) && port > 0 && port <= 65_535)) return undefined
  return names.map((host, place) => ({ host, port: numbers[place] ?? numbers[0] ?? postgresPort }))
}
