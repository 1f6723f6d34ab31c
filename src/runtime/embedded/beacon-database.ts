import { type Client, DatabaseError } from 'pg'
import { Misconfigured, Unavailable } from '../../fault.ts'
import { second } from '../../market/instant.ts'
import { openClient } from '../../store/connection/open-client.ts'

export async function ensureDatabase(url: URL): Promise<void> {
  try {
    await connected(url, async () => {})
  } catch (error) {
    if (!(error instanceof DatabaseError)) {
      throw new Unavailable('the embedded PostgreSQL ended again: see server.log beside its data', {
        cause: error,
      })
    }
    if (error.code === '28P01') {
      throw new Misconfigured(
        'the embedded PostgreSQL does not take its generated password: put the password file beside its data back',
        { cause: error },
      )
    }
    if (error.code !== '3D000') throw error
    await createDatabase(url)
  }
}

async function createDatabase(url: URL): Promise<void> {
  const maintenance = new URL(url)
  maintenance.pathname = '/postgres'
  await connected(maintenance, async (client) => {
    await client.query(`create database ${client.escapeIdentifier(url.pathname.slice(1))}`)
  })
}

async function connected(url: URL, work: (client: Client) => Promise<void>): Promise<void> {
  const client = await openClient(url.href, {
    applicationName: 'beacon start',
    connectionTimeoutMs: 30 * second,
  })
  try {
    await work(client)
  } finally {
    await client.end()
  }
}
