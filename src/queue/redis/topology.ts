import { type Redis, ReplyError } from 'ioredis'
import { Misconfigured, Unavailable } from '../../fault.ts'
import type { RedisServers } from '../../settings/redis-url.ts'
import { serverName } from '../../settings/server-list.ts'
import { connectShortly, infoOf, type RedisInfo } from './short-connection.ts'

/** INFO is from the primary or a cluster node. */
export type Topology = Readonly<{ isCluster: boolean; info: RedisInfo }>

/** Throws Misconfigured if a person must act, Unavailable if there is no primary now. */
export async function readTopology(servers: RedisServers): Promise<Topology> {
  if (servers.sentinel) return { isCluster: false, info: await readNamed(servers) }
  const failures: unknown[] = []
  for (const address of servers.servers) {
    try {
      const info = await readOne(servers, address)
      if (info !== undefined) return { isCluster: info.get('cluster_enabled') === '1', info }
    } catch (error) {
      if (error instanceof Misconfigured) throw error
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures.length === 1 ? failures[0] : new AggregateError(failures)
  throw new Unavailable('none of the servers in REDIS_URL is a primary: they are replicas')
}

type Address = RedisServers['servers'][number]

const readOne = (servers: RedisServers, address: Address): Promise<RedisInfo | undefined> =>
  connectShortly({ ...servers, servers: [address] }, async (redis) => {
    const info = await infoOf(redis)
    if (info.get('redis_mode') === 'sentinel') throw isSentinel(address, info)
    if (info.get('cluster_enabled') === '1') {
      if (servers.database !== 0) throw clusterHasOneDatabase
      return info
    }
    if (info.get('role') === 'slave') {
      if (servers.servers.length === 1) throw isReplica(address, info)
      return undefined
    }
    await select(redis, servers)
    return info
  })

const clusterHasOneDatabase = new Misconfigured(
  'a Redis Cluster has no other database than 0: remove the number at the end of REDIS_URL',
)

function isReplica(address: Address, info: RedisInfo): Misconfigured {
  const [host, port] = [info.get('master_host'), info.get('master_port')]
  return new Misconfigured(
    `Redis at ${serverName(address)} is a replica and takes no writes: REDIS_URL must name its primary, ${host}:${port}`,
  )
}

function isSentinel(address: Address, info: RedisInfo): Misconfigured {
  const primaryName = /name=([^,]+)/.exec(info.get('master0') ?? '')?.[1] ?? 'NAME-OF-THE-PRIMARY'
  return new Misconfigured(
    `the server at ${serverName(address)} is a Sentinel: write REDIS_URL as redis+sentinel://${serverName(address)}/${primaryName}`,
  )
}

/** Throws if the Sentinels do not know the name. */
async function readNamed(servers: RedisServers): Promise<RedisInfo> {
  const name = servers.sentinel?.primaryName
  try {
    return await connectShortly(servers, async (redis) => {
      const info = await infoOf(redis)
      if (info.get('role') === 'slave')
        throw new Unavailable(`what the Sentinels call ${name} is a replica now`)
      await select(redis, servers)
      return info
    })
  } catch (error) {
    if (error instanceof Error && /ERR No such master/i.test(error.message)) throw unknownName(name)
    // ioredis reports unknown names only this way.
    if (error instanceof Error && /^All sentinels are unreachable[^:]*$/.test(error.message))
      throw unknownName(name)
    throw error
  }
}

const unknownName = (name: string | undefined): Misconfigured =>
  new Misconfigured(
    `no Sentinel in REDIS_URL monitors a primary called "${name}": redis-cli -p 26379 sentinel masters lists the names`,
  )

/** ioredis silently continues with database 0. */
async function select(redis: Redis, { database }: RedisServers): Promise<void> {
  if (database === 0) return
  try {
    await redis.select(database)
  } catch (cause) {
    if (!(cause instanceof Error) || !/out of range|invalid DB index/i.test(cause.message)) throw cause
    throw new Misconfigured(
      `REDIS_URL names database ${database}, and Redis has ${await databasesOf(redis)}: name one of them, or raise "databases" in redis.conf`,
      { cause },
    )
  }
}

async function databasesOf(redis: Redis): Promise<string> {
  try {
    const [, count] = (await redis.config('GET', 'databases')) as string[]
    return `${count} (0 to ${Number(count) - 1})`
  } catch (error) {
    if (error instanceof ReplyError) return 'fewer'
    throw error
  }
}
