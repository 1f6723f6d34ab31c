import { drizzle } from 'drizzle-orm/node-postgres'
import type { Client } from 'pg'
import { Misconfigured } from '../fault.ts'
import { second } from '../market/instant.ts'
import type { Clock } from '../runtime/clock.ts'
import { type WaitPolicy, whenAnswering } from '../runtime/when-answering.ts'
import { openClient } from '../store/connection/open-client.ts'
import { readClockSkewMs, skewText } from '../store/database-clock.ts'
import { refusalOf } from '../store/quarantine/refusal.ts'

export const largestSkewMs = 5 * second

/** Schedules, locks and delays use the worker's clock: a wrong one takes jobs from healthy workers. */
export async function refuseWrongClock(client: Client, clock: Clock): Promise<void> {
  const skewMs = await readClockSkewMs(drizzle({ client }), clock)
  if (Math.abs(skewMs) <= largestSkewMs) return
  throw new Misconfigured(
    `this machine's clock is ${skewText(skewMs)} the database's: set both by NTP, then start again`,
  )
}

export async function refuseWrongClockOf(
  databaseUrl: string,
  clock: Clock,
  waitPolicy: WaitPolicy,
): Promise<void> {
  await whenAnswering(
    async () => {
      const client = await connect(databaseUrl)
      try {
        await refuseWrongClock(client, clock)
      } finally {
        await client.end()
      }
    },
    'PostgreSQL does not answer: start it, or check DATABASE_URL',
    waitPolicy,
  )
}

async function connect(databaseUrl: string): Promise<Client> {
  try {
    return await openClient(databaseUrl, {
      applicationName: 'beacon queue',
      connectionTimeoutMs: 5 * second,
      queryTimeoutMs: 10 * second,
    })
  } catch (error) {
    throw refusalOf(error) ?? error
  }
}
