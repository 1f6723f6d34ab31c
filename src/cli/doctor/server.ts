import type { RedisInfo } from '../../queue/redis/short-connection.ts'
import { readServerParameters, type ServerParameters } from '../../store/connection/server-parameters.ts'
import { locksOfWholeQuery } from '../../store/lifecycle/partition-lock-needs.ts'
import { databaseOf } from '../../store/transaction.ts'
import { type Check, type Deps, error, type Finding, warning } from './check.ts'
import { readRedisInfo, redisSettingsFindings, redisVersionFindings } from './redis.ts'

const oldestNode = 20
/** Newest version tested. */
const newestPostgres = 18

/** Node, PostgreSQL and Redis are supported versions. */
export const versions: Check = {
  name: 'versions',
  run: async (deps) => {
    const { major, version } = await readServerParameters(databaseOf(deps.pool))
    const node = Number(process.versions.node.split('.')[0])
    return [
      ...(node >= oldestNode
        ? []
        : [error(`Node ${process.versions.node} is too old.`, `Run with Node ${oldestNode} or newer.`)]),
      ...(major <= newestPostgres
        ? []
        : [
            warning(
              `PostgreSQL ${version} is newer than what this was tried on.`,
              `Use PostgreSQL ${newestPostgres}, or look for a newer beacon.`,
            ),
          ]),
      ...(await ofRedis(deps, redisVersionFindings)),
    ]
  },
}

/** Servers have the required settings. */
export const serverSettings: Check = {
  name: 'settings',
  run: async (deps) => [
    ...postgresFindings(await readServerParameters(databaseOf(deps.pool)), deps.settings.database),
    ...lockFindings(
      await readServerParameters(databaseOf(deps.pool)),
      await locksOfWholeQuery(databaseOf(deps.pool)),
      deps.settings.database,
    ),
    ...(await ofRedis(deps, redisSettingsFindings, () => [])),
  ],
}

/** Nothing without Redis; its silence is reported once. */
async function ofRedis(
  { settings }: Deps,
  evaluate: (info: RedisInfo) => Finding[],
  whenSilent = (silence: Finding): Finding[] => [silence],
): Promise<Finding[]> {
  const { redisUrl } = settings.environment
  if (redisUrl === undefined) return []
  const info = await readRedisInfo(redisUrl)
  return 'severity' in info ? whenSilent(info) : evaluate(info)
}

/** Queue, presence and migration connections. */
const besidePool = 10

/** Harmful parameters. Pure. */
export function postgresFindings(
  server: ServerParameters,
  { maxConnections: poolSize }: Readonly<{ maxConnections: number }>,
): Finding[] {
  return [...connectionFindings(server, poolSize), ...sessionFindings(server), ...durabilityFindings(server)]
}

function connectionFindings(server: ServerParameters, poolSize: number): Finding[] {
  const { maxConnections, reservedConnections, sessions, ownSessions } = server
  const available = maxConnections - reservedConnections
  const remedy = `Raise max_connections of PostgreSQL, or lower database.maxConnections (${poolSize}).`
  if (sessions >= available) {
    return [error(`All ${available} connections that PostgreSQL allows are taken.`, remedy)]
  }
  const others = sessions - ownSessions
  const wanted = poolSize + besidePool + others
  if (wanted <= available) return []
  const message = `PostgreSQL allows ${available} connections; a daemon may take ${poolSize + besidePool}, and others have ${others}.`
  return [warning(message, remedy)]
}

/** Concurrent whole-table queries that need locks. */
const queriesAtOnce = 8

/** Whole-table queries lock all partitions; advises enough for all connections of a process. Pure. */
export function lockFindings(
  { maxConnections, maxLocksPerTransaction, maxPreparedTransactions }: ServerParameters,
  locksOfQuery: number,
  { maxConnections: poolSize }: Readonly<{ maxConnections: number }>,
): Finding[] {
  const sessions = maxConnections + maxPreparedTransactions
  const locks = maxLocksPerTransaction * sessions
  if (locksOfQuery * queriesAtOnce <= locks) return []
  const wanted = Math.ceil((locksOfQuery * poolSize) / sessions / 64) * 64
  const finding = locksOfQuery * 2 > locks ? error : warning
  return [
    finding(
      `A query of a whole table takes ${locksOfQuery.toLocaleString('en')} of the ${locks.toLocaleString('en')} locks that PostgreSQL has: ${Math.floor(locks / locksOfQuery)} of them find room at once, and further ones fail.`,
      `alter system set max_locks_per_transaction = ${wanted} -- and restart PostgreSQL`,
    ),
  ]
}

function sessionFindings({ timeZone, encoding }: ServerParameters): Finding[] {
  return [
    ...(timeZone === 'UTC'
      ? []
      : [
          error(
            `Sessions have the time zone ${timeZone}: times would be shifted.`,
            "alter role current_user set timezone to 'UTC' -- and let a pooler pass TimeZone on",
          ),
        ]),
    ...(encoding === 'UTF8'
      ? []
      : [
          error(
            `The database has the encoding ${encoding}.`,
            'Make one with encoding UTF8, and restore a dump there.',
          ),
        ]),
  ]
}

const durabilityFindings = ({ fsync, fullPageWrites, autovacuum }: ServerParameters): Finding[] => [
  ...(fsync && fullPageWrites
    ? []
    : [
        error(
          'PostgreSQL may lose or spoil what it has stored when the power fails.',
          'alter system set fsync = on; alter system set full_page_writes = on; select pg_reload_conf()',
        ),
      ]),
  ...(autovacuum
    ? []
    : [
        error(
          'PostgreSQL does not clean up after itself: autovacuum is off.',
          'alter system set autovacuum = on; select pg_reload_conf()',
        ),
      ]),
]
