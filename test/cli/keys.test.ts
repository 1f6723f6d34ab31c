import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import { z } from 'zod'
import { encryptedColumns } from '../../src/encryption/encrypted-columns.ts'
import { decrypt, encrypt } from '../../src/encryption/encrypted-value.ts'
import { keyBytesOf, ringOf, ringVariable } from '../encryption/rings.ts'
import { test as base, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { readEnvironment } from '../support/read-environment.ts'
import { commandsIn } from './support/beacon.ts'
import type { EndedLine } from './support/line-runner.ts'

const { email, displayName } = encryptedColumns
const newKey = keyBytesOf('new').toString('base64')
const both = { BEACON_ENCRYPTION_KEYS: ringVariable('new', 'old') }
const debug = { ...both, BEACON_LOG_LEVEL: 'debug' }
const newOnly = { BEACON_ENCRYPTION_KEYS: ringVariable('new') }

/** Users with an encrypted address under the old key, as they were registered once. Returns their ids in order. */
async function addUsers({ superuser }: TestDatabase, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => randomUUID()).toSorted()
  const emails = ids.map((id) => encrypt(ringOf('old'), email, id, `canary-${id}@example.org`))
  await superuser.query(
    `insert into users (id, email, password, created_at, updated_at, status, tier)
     select id, email, '-', now(), now(), 'active', 'free' from unnest($1::uuid[], $2::text[]) as given (id, email)`,
    [ids, emails],
  )
  return ids
}

async function readEmails({ superuser }: TestDatabase): Promise<{ id: string; email: string }[]> {
  return (await superuser.query<{ id: string; email: string }>('select id, email from users order by id'))
    .rows
}

const underNew = async (database: TestDatabase): Promise<number> =>
  (await readEmails(database)).filter(({ email }) => email.startsWith('new.')).length

const waitingForLocks = async ({ superuser }: TestDatabase): Promise<number | undefined> => {
  const { rows } = await superuser.query<{ waiting: number }>(`
    select count(*)::integer as waiting from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`)
  return rows[0]?.waiting
}

const answerForm = z.object({
  firstKey: z.string(),
  dryRun: z.boolean(),
  columns: z.array(z.record(z.string(), z.union([z.string(), z.number()]))),
  problems: z.array(z.object({ rowId: z.string() })),
  lackedKeys: z.array(z.object({ keyId: z.string(), values: z.number() })),
  removableKeys: z.array(z.string()),
})

const lines = {
  plain: 'keys generate',
  named: 'keys generate --id 2024-05',
  asJson: 'keys generate --json',
  misnamed: 'keys generate --id 2024_05',
  keysHelp: 'keys --help',
  generateHelp: 'keys generate --help',
  rotateHelp: 'keys rotate --help',
  without: 'keys rotate',
  broken: { line: 'keys rotate', variables: { BEACON_ENCRYPTION_KEYS: `new:${newKey}x` } },
  planned: { line: 'keys rotate --dry-run', variables: debug },
  done: { line: 'keys rotate --json', variables: debug },
}

/** The commands that end by themselves, one after the other in one process. */
const test = base
  .extend('users', { scope: 'file' }, ({ database }) => addUsers(database, 3))
  .extend('ends', { scope: 'file' }, async ({ database, users }) => {
    const [first = '', second = ''] = users
    await database.superuser.query(
      `insert into profiles (id, display_name, created_at, updated_at)
       values ($1, 'canary', now(), now()), ($2, $3, now(), now())`,
      [first, second, encrypt(ringOf('lost'), displayName, second, 'canary')],
    )
    const { runLines } = commandsIn({ DATABASE_URL: database.url })
    const ends = await runLines(Object.values(lines))
    return (name: keyof typeof lines): EndedLine =>
      ends[Object.keys(lines).indexOf(name)] ?? { code: -1, stdout: '', stderr: '' }
  })

test('generate prints one entry that can be used as it is, and says how', ({ ends }) => {
  const { id, entry } = z
    .object({ id: z.string(), entry: z.string() })
    .parse(JSON.parse(ends('asJson').stdout))
  const entries = [ends('plain').stdout, ends('named').stdout, entry]
  const { encryptionKeys } = readEnvironment({ BEACON_ENCRYPTION_KEYS: entries.join(',') })
  expect(encryptionKeys?.map((key) => key.id)).toEqual([
    expect.stringMatching(/^k[0-9a-f]{8}$/),
    '2024-05',
    id,
  ])
  expect(ends('plain').stdout).toMatch(/^[a-z0-9]+:[A-Za-z0-9+/]{43}=\n$/)
  expect(ends('plain').stderr).toMatch(/set BEACON_ENCRYPTION_KEYS to it[\s\S]*beacon keys rotate/)
  const refusal = expect.stringMatching(/^error: --id is not 1 to 16/)
  expect(ends('misnamed')).toEqual({ code: 2, stdout: '', stderr: refusal })
})

test('every one of the commands tells how it is used', ({ ends }) => {
  for (const name of ['keysHelp', 'generateHelp', 'rotateHelp'] as const) {
    const usage = `Usage: beacon ${lines[name].replace(' --help', '')}`
    expect(ends(name)).toEqual({ code: 0, stdout: expect.stringContaining(usage), stderr: '' })
  }
})

test('rotate says that there is no key, or what is wrong with it', ({ ends }) => {
  expect(ends('without')).toMatchObject({ code: 1, stdout: '' })
  expect(ends('without').stderr).toMatch(
    /^error: there is no key to encrypt with: make one with beacon keys generate[^\n]*\n$/,
  )
  expect(ends('broken')).toMatchObject({ code: 2, stdout: '' })
  expect(ends('broken').stderr).toMatch(
    /^error: [^\n]*BEACON_ENCRYPTION_KEYS holds, under the id "new", no 32 bytes[^\n]*\n$/,
  )
  expect(ends('broken').stderr).not.toContain(newKey.slice(0, 8))
})

test('rotate names each value that it cannot read, does the rest and fails', async ({
  ends,
  users,
  database,
}) => {
  const [first, second] = users
  expect(ends('planned').stdout).toContain('3 values would be encrypted anew')
  const answered = answerForm.parse(JSON.parse(ends('done').stdout))
  expect(answered).toMatchObject({ firstKey: 'new', dryRun: false, removableKeys: [] })
  expect(answered.columns[0]).toEqual({ table: 'users', column: 'email', rotated: 3, left: 0, remaining: 0 })
  expect(answered.problems.map(({ rowId }) => rowId)).toEqual([first])
  expect(answered.lackedKeys).toEqual([{ keyId: 'lost', values: 1 }])
  for (const { code, stdout, stderr } of [ends('planned'), ends('done')]) {
    expect(code).toBe(1)
    expect(stderr).toContain(`profiles.display_name of row ${first} is not an encrypted value`)
    expect(stderr).toContain('1 value was encrypted with the key "lost": put that key back')
    expect(stderr).not.toContain(second)
    expect(stderr).toMatch(/error: 2 values stayed as they were/)
    expect(stdout + stderr).not.toMatch(/canary/)
    expect(stdout + stderr).not.toContain(newKey)
  }
  expect(await underNew(database)).toBe(3)
})

test('a rotation that was killed goes on where it was; then the old key can go', async ({
  freshDatabase,
}) => {
  const ids = await addUsers(freshDatabase, 1_200)
  const { start, runLines, killAll } = commandsIn({ DATABASE_URL: freshDatabase.url })
  const client = await freshDatabase.superuser.connect()
  try {
    // It stops at this row, in the second of three batches, until it is killed.
    await client.query('begin')
    await client.query('select from users where id = $1 for update', [ids[700]])
    const rotating = start('keys rotate', both)
    await eventually(() => waitingForLocks(freshDatabase), 1)
    expect(await rotating.stop('SIGKILL')).toMatchObject({ stderr: '500 of 1,200 values (40 %)\n' })
    await client.query('rollback')
  } finally {
    client.release()
    await killAll()
  }
  expect(await underNew(freshDatabase)).toBe(500)

  const [end, again] = await runLines([
    { line: 'keys rotate', variables: both },
    { line: 'keys rotate', variables: newOnly },
  ])
  expect(end).toMatchObject({ code: 0, stderr: expect.stringContaining('500 of 700 values (70 %)\n') })
  expect(end?.stdout).toContain('700 values encrypted anew, with the key "new".')
  expect(end?.stdout).toContain(
    'first key of every process, "old" may be removed from BEACON_ENCRYPTION_KEYS',
  )
  expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('0 values encrypted anew') })
  const emails = await readEmails(freshDatabase)
  expect(emails.map(({ id, email: value }) => decrypt(ringOf('new'), email, id, value))).toEqual(
    ids.map((id) => `canary-${id}@example.org`),
  )
})
