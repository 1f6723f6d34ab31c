import { waitFor } from '../../src/runtime/embedded/wait.ts'
import type { RedisServer, RedisServers } from './redis-server.ts'

const mostMs = 40_000

/** Waits until the server's answer is of that form. */
export async function untilSays(
  server: RedisServer,
  command: readonly string[],
  form: RegExp,
): Promise<void> {
  const [name = '', ...args] = command
  const read = async () => {
    const answer = String(await server.ask(name, ...args).catch(String))
    return form.test(answer) ? answer : undefined
  }
  if ((await waitFor(read, mostMs)) === undefined)
    throw new Error(`${command.join(' ')} never answered ${form}`)
}

/** A primary and a replica that has all that the primary has. */
export async function startPair(servers: RedisServers): Promise<[RedisServer, RedisServer]> {
  const primary = await servers.start()
  const replica = await servers.start([`replicaof 127.0.0.1 ${primary.port}`])
  await untilLinked(replica)
  return [primary, replica]
}

export const untilLinked = (replica: RedisServer): Promise<void> =>
  untilSays(replica, ['info', 'replication'], /master_link_status:up/)

/** A pair, and three Sentinels that watch it. */
export async function startSentinels(servers: RedisServers) {
  const [primary, replica] = await startPair(servers)
  const sentinels = await Promise.all([1, 2, 3].map(() => servers.startSentinel(primary, 2)))
  for (const sentinel of sentinels) {
    await untilSays(sentinel, ['info', 'sentinel'], /status=ok.*slaves=1,sentinels=3/)
  }
  return { primary, replica, sentinels }
}

/** Three primaries, of which the first has the slot of the key and the only replica. */
export async function startRedisCluster(servers: RedisServers, key: string) {
  const settings = ['cluster-enabled yes', 'cluster-node-timeout 1000']
  const nodes = await Promise.all([1, 2, 3, 4].map(() => servers.start(settings)))
  const [first, second, third, replica] = nodes
  if (!first || !second || !third || !replica) throw new Error('four nodes were started')
  const slot = Number(await first.ask('cluster', 'keyslot', key))
  await giveSlots(first, slot, slot)
  const others = [[0, slot - 1] as const, [slot + 1, 16_383] as const].filter(([from, to]) => from <= to)
  for (const [place, [from, to]] of others.entries()) await giveSlots(place === 0 ? second : third, from, to)
  for (const node of [second, third, replica]) await first.ask('cluster', 'meet', '127.0.0.1', node.port)
  for (const node of nodes) {
    await untilSays(node, ['cluster', 'info'], /cluster_state:ok[\s\S]*cluster_known_nodes:4/)
  }
  await replica.ask('cluster', 'replicate', String(await first.ask('cluster', 'myid')))
  await untilLinked(replica)
  return { nodes, owner: first, replica }
}

const giveSlots = (node: RedisServer, from: number, to: number) =>
  node.ask('cluster', 'addslotsrange', from, to)
