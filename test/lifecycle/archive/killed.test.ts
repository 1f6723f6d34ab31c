import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Pool } from 'pg'
import { describe, expect } from 'vitest'
import { archivePartition } from '../../../src/lifecycle/archive/archive-partition.ts'
import { archiveRows } from '../../../src/lifecycle/archive/archive-rows.ts'
import { restoreArchive } from '../../../src/lifecycle/archive/restore-archive.ts'
import { verifyArchive } from '../../../src/lifecycle/archive/verify-archive.ts'
import { plus, toIso } from '../../../src/market/instant.ts'
import { readSettings } from '../../../src/settings.ts'
import { type Archive, listArchives } from '../../../src/store/lifecycle/archives.ts'
import { databaseOf } from '../../../src/store/transaction.ts'
import { superuserOf } from '../../support/database.ts'
import { scriptFile } from '../../support/scripts.ts'
import {
  aMonth,
  aUserWithNotifications,
  test as base,
  deleteAsRetention,
  held,
  now,
  reachOf,
} from './archiving.ts'
import type { KilledJob } from './archiving-process.ts'

const steps = {
  archive: ['intended', 'drafted', 'published', 'written', 'verified'],
  drop: ['locked', 'proved', 'trimmed', 'dropped'],
  restore: ['partition-made', 'staged', 'merged', 'recorded', 'restored'],
  rows: ['intended', 'drafted', 'published', 'written', 'verified', 'taken', 'recorded'],
} as const

const execute = promisify(execFile)

/** Runs the work in a process of its own until each piece stands after its step, where the process is killed. */
async function killAt(pool: Pool, url: string, dataDir: string, jobs: readonly KilledJob[]): Promise<void> {
  const args = [
    scriptFile('lifecycle/archive/archiving-process'),
    url,
    dataDir,
    toIso(now),
    JSON.stringify(jobs),
  ]
  await expect(execute(process.execPath, args)).rejects.toMatchObject({
    signal: 'SIGKILL',
  })
  // The server takes a moment to notice, and until then the dead hold their locks.
  const sessions = `select from pg_stat_activity where datname = current_database() and application_name = 'beacon'`
  await expect.poll(async () => (await pool.query(sessions)).rows.length).toBe(0)
}

/** What was there before the kill: a month, what it held, and its archive. */
type Scene = Readonly<{
  month: Awaited<ReturnType<typeof aMonth>>
  before: Awaited<ReturnType<typeof held>>
  archive: Archive | undefined
}>

/** A table without users, shaped like notifications: a table is archived by one process at a time. */
async function aTableOfRows(pool: Pool, step: string): Promise<string> {
  const table = `notes_${step}`
  await pool.query(`create table ${table} (like notifications including all)`)
  await superuserOf(pool).query(`insert into ${table} select * from notifications`)
  return table
}

const contentsOf = async (pool: Pool, table: string): Promise<string[]> => {
  const { rows } = await pool.query<{ row: string }>(`select ${table}::text as row from ${table} order by 1`)
  return rows.map(({ row }) => row)
}

/** Everything that is killed, killed at every step, in as few processes as can hold all of it at once. */
const test = base
  .extend('folder', { scope: 'file' }, async ({ database: _ }, { onCleanup }) => {
    const folder = await mkdtemp(join(tmpdir(), 'beacon-killed-'))
    onCleanup(() => rm(folder, { recursive: true }))
    return folder
  })
  .extend('killed', { scope: 'file' }, async ({ pool, databaseUrl, folder }) => {
    const deps = reachOf(pool, readSettings({ BEACON_DATA_DIR: folder }), now)
    const scenes = new Map<string, Scene>()
    const jobs: KilledJob[] = []
    const set = async (work: 'archive' | 'drop' | 'restore', step: string) => {
      const month = await aMonth(pool)
      const before = await held(pool, month.coinId)
      const archive = work === 'archive' ? undefined : await archivePartition(deps, month)
      if (work === 'restore') await deleteAsRetention(deps, month)
      scenes.set(`${work} ${step}`, { month, before, archive })
      jobs.push(
        work === 'restore'
          ? { work, step, id: archive?.id ?? '' }
          : { work, step, partition: { ...month, relation: 'table', isDetachPending: false } },
      )
    }
    for (const step of steps.archive) await set('archive', step)
    for (const step of steps.restore) await set('restore', step)
    for (const step of ['locked', 'proved']) await set('drop', step)
    await aUserWithNotifications(pool, 20, plus(now, -3_600_000))
    for (const step of steps.rows) jobs.push({ work: 'rows', step, table: await aTableOfRows(pool, step) })
    await killAt(pool, databaseUrl, folder, jobs)
    // Once it has locked the table, nobody else gets at it.
    for (const step of ['trimmed', 'dropped']) {
      await set('drop', step)
      await killAt(pool, databaseUrl, folder, jobs.slice(-1))
    }
    return { scenes, deps }
  })

const sceneOf = (scenes: ReadonlyMap<string, Scene>, work: string, step: string): Scene => {
  const scene = scenes.get(`${work} ${step}`)
  if (!scene) throw new Error(`nothing was killed at ${work} ${step}`)
  return scene
}

/** Every file that the archive has of a table or partition, drafts included. */
async function filesOf(folder: string, name: string): Promise<string[]> {
  const found = await readdir(join(folder, 'archive'), { recursive: true })
  return found.filter((path) => path.includes(`/${name}.`))
}

const archivesOf = async (pool: Pool, name: string): Promise<Archive[]> => {
  const archives = await listArchives(databaseOf(pool))
  return archives.filter(({ table, partition }) => (partition ?? table) === name)
}

describe('a process that is killed', () => {
  test.for(steps.archive)(
    'while it archives a partition, once %s, leaves it whole, and the next has one file of it',
    async (step, { pool, killed, folder }) => {
      const { deps } = killed
      const { month, before } = sceneOf(killed.scenes, 'archive', step)
      expect(await held(pool, month.coinId)).toEqual(before)
      const archive = await archivePartition(deps, month)
      expect(await filesOf(folder, month.name)).toEqual([archive.fileName])
      await verifyArchive(deps.settings, archive)
      expect(await deleteAsRetention(deps, month)).toBeUndefined()
      expect((await archivesOf(pool, month.name)).map(({ state }) => state)).toEqual(['dropped'])
    },
  )

  test.for(steps.drop)(
    'while it deletes an archived partition, once %s, keeps it, and the next deletes it',
    async (step, { pool, killed }) => {
      const { deps } = killed
      const { month, before } = sceneOf(killed.scenes, 'drop', step)
      expect((await contentsOf(pool, month.name)).length).toBe(before.rows.length)
      expect((await archivesOf(pool, month.name)).map(({ state }) => state)).toEqual(['verified'])
      expect(await held(pool, month.coinId)).toEqual(before)
      expect(await deleteAsRetention(deps, month)).toBeUndefined()
      expect(await held(pool, month.coinId)).toEqual({ rows: [], coverage: [] })
    },
  )

  test.for(steps.restore)(
    'while it restores, once %s, leaves nothing by halves, and the next finishes',
    async (step, { pool, killed }) => {
      const { month, before, archive } = sceneOf(killed.scenes, 'restore', step)
      if (!archive) throw new Error('there is nothing to restore')
      const isDone = step === 'restored'
      expect(await held(pool, month.coinId)).toEqual(isDone ? before : { rows: [], coverage: [] })
      const outcome = await restoreArchive(killed.deps, archive)
      expect(outcome).toMatchObject(isDone ? { restored: 0, unchanged: 50 } : { restored: 50, unchanged: 0 })
      expect(await held(pool, month.coinId)).toEqual(before)
    },
  )

  test.for(steps.rows)(
    'while it archives single rows, once %s, keeps them, and the next has them in one file',
    async (step, { pool, killed, folder }) => {
      const { deps } = killed
      const table = `notes_${step}`
      expect(await contentsOf(pool, table)).toEqual(await contentsOf(superuserOf(pool), 'notifications'))
      const { signal } = new AbortController()
      const outcome = await archiveRows({ ...deps, signal }, { table, by: 'created_at' }, 0)
      expect(outcome).toEqual({ table, files: 1, rows: 20, left: 0 })
      expect(await contentsOf(pool, table)).toEqual([])
      const archives = await archivesOf(pool, table)
      expect(archives.map(({ state }) => state)).toEqual(['dropped'])
      expect(await filesOf(folder, table)).toEqual(archives.map(({ fileName }) => fileName))
      for (const archive of archives) await verifyArchive(deps.settings, archive)
    },
  )
})
