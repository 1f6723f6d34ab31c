import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { DatabaseError } from 'pg'
import { describe, expect } from 'vitest'
import { foreseenMessage } from '../../src/cli/series/foreseen.ts'
import { Misconfigured } from '../../src/fault.ts'
import { refuseTooFewConnections } from '../../src/store/connection/connection-allowance.ts'
import { openPool } from '../../src/store/pool.ts'
import { databaseOf } from '../../src/store/transaction.ts'
import { test } from '../support/database.ts'
import { settingsFor } from '../web/serving.ts'

const program = fileURLToPath(new URL('../../dist/beacon.js', import.meta.url))

/** Runs a command where a process may use less than usual; how it ended. */
async function runLimited(limit: string, variables: Readonly<Record<string, string>> = {}) {
  const script = `${limit}; exec "$0" "$@"`
  const args = ['-c', script, process.execPath, program, 'coins', 'list']
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...variables }
  return promisify(execFile)('/bin/sh', args, { env }).then(
    () => ({ code: 0, stderr: '' }),
    (error: { code: number; stderr: string }) => ({ code: error.code, stderr: error.stderr }),
  )
}

describe('a process that may use too little', () => {
  test.for([24, 32, 40, 255])(
    '%i open files: one message names that and how many are needed',
    async (files) => {
      expect(await runLimited(`ulimit -n ${files}`)).toEqual({
        code: 1,
        stderr:
          `error: this process may open ${files} files, and needs 256: raise the limit with "ulimit -n 256", ` +
          'or LimitNOFILE=256 in the unit of systemd\n',
      })
    },
  )

  test('memory: one message names how much there is and how much is needed', async () => {
    const { code, stderr } = await runLimited(':', { NODE_OPTIONS: '--max-old-space-size=32' })
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^error: Node may use \d+ MB of memory for this process, and needs 128: set NODE_OPTIONS=--max-old-space-size=128, or give the container more memory\n$/,
    )
  })

  test('connections: one message names the limit, what is left of it, and how many are needed', async ({
    databaseUrl,
    pool: direct,
    onTestFinished,
  }) => {
    const role = `few_${process.pid}`
    await direct.query(`create role ${role} login password 'few' connection limit 7`)
    const url = new URL(databaseUrl)
    url.username = role
    url.password = 'few'
    const pool = openPool(url.href, settingsFor().database, () => {})
    onTestFinished(async () => {
      await pool.close()
      await direct.query(`drop role ${role}`)
    })
    await expect(refuseTooFewConnections(databaseOf(pool), 20)).rejects.toThrow(
      new Misconfigured(
        `the connection limit of the role ${role} of PostgreSQL allows 7 connections, of which 0 are taken: this daemon needs 20, so raise it`,
      ),
    )
    await expect(refuseTooFewConnections(databaseOf(pool), 7)).resolves.toBeUndefined()
    await expect(refuseTooFewConnections(databaseOf(direct), 1_000)).rejects.toThrow(
      /^max_connections of PostgreSQL allows \d+ connections, of which \d+ are taken: this daemon needs 1000, so raise it$/,
    )
  })
})

const databaseError = (code: string): Error =>
  Object.assign(new DatabaseError('as the server says it', 1, 'error'), { code })
const systemError = (code: string): Error =>
  Object.assign(new Error(`${code}: as Node says it`), { code, path: '/data/file' })

describe('what a server or the machine refuses', () => {
  test.for([
    [databaseError('53100'), 'the disk of PostgreSQL is full; then run this again'],
    [databaseError('57P03'), 'PostgreSQL is starting, or recovering after a crash; then run this again'],
    [new Error('wrapped', { cause: databaseError('25006') }), /^PostgreSQL takes no writes: it is a replica/],
    [
      new Error("READONLY You can't write against a read only replica."),
      /^Redis takes no writes: the server is a replica/,
    ],
    [new Error("OOM command not allowed when used memory > 'maxmemory'."), /^Redis is full/],
    [
      new Error('MISCONF Redis is configured to save RDB snapshots'),
      /^Redis takes no writes because it cannot save/,
    ],
    [
      Object.assign(new Error('EXECABORT Transaction discarded'), {
        previousErrors: [new Error('CLUSTERDOWN Hash slot not served')],
      }),
      /^the Redis Cluster is down/,
    ],
    [systemError('ENOSPC'), 'the disk is full (/data/file): make room, and run this again'],
    [systemError('EMFILE'), /may open no more files/],
    [new AggregateError([new Error('one'), systemError('ECONNREFUSED')]), /^a server does not answer/],
    [new Error('Command timed out'), /^Redis does not answer/],
  ] as const)('%s is one message', ([error, message]) => {
    expect(foreseenMessage(error)).toEqual(
      typeof message === 'string' ? message : expect.stringMatching(message),
    )
  })

  test('a bug is none', () => {
    expect(foreseenMessage(new TypeError('undefined is not a candle'))).toBeUndefined()
    expect(foreseenMessage('a text')).toBeUndefined()
  })
})
