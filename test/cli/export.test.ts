import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { openSite, storedLines } from './support/site.ts'

const backfill = 'backfill bitcoin ethereum --timeframe 1h --from 2024-03-01 --to 2024-03-03 --force'
const range = '--from 2024-03-01 --to 2024-03-03'

test.concurrent('an export has what is stored, in files or through a pipe', async () => {
  await using site = await openSite()
  const out = join(site.folder, 'out')
  const [, files, piped, again, wrongOut, daily, none, unknown] = await site.runLines([
    backfill,
    `export --all --timeframe 1h ${range} --layout series --out ${out} --json`,
    `export bitcoin --timeframe 1h ${range} --out -`,
    `export bitcoin --timeframe 1h ${range} --layout series --out ${out}`,
    `export bitcoin --timeframe 1h --out - --layout hive`,
    `export bitcoin --table prices --timeframe 1h --out ${out}/prices.csv`,
    `export --out ${out}`,
    `export bitcoin --format excel --out ${out}`,
  ])
  const stored = (await storedLines(site, 'bitcoin', '1h')).map(
    (line) => `bitcoin,1h,${line.replace('.000Z', 'Z').replaceAll(' ', ',')}`,
  )
  expect(stored).toHaveLength(48)
  expect(files).toMatchObject({ code: 0 })
  const manifest = JSON.parse(files?.stdout ?? '')
  expect(manifest).toEqual(JSON.parse(await readFile(join(out, 'manifest.json'), 'utf8')))
  expect(manifest.files.map(({ path, rows }: { path: string; rows: number }) => [path, rows])).toEqual(
    (await readdir(out)).filter((name) => name.endsWith('.csv')).map((name) => [name, expect.any(Number)]),
  )
  expect(piped).toMatchObject({ code: 0, stderr: 'Exported 48 rows.\n' })
  expect(piped?.stdout.split('\n').slice(1, -1)).toEqual(stored)
  expect(await readFile(join(out, 'bitcoin-1h.csv'), 'utf8')).toBe(piped?.stdout)
  expect(again).toMatchObject({ code: 2, stderr: expect.stringMatching(/-1h\.csv exists: add --replace/) })
  expect(wrongOut).toMatchObject({ code: 2, stderr: expect.stringContaining('--layout hive needs a folder') })
  expect(daily).toMatchObject({ code: 2, stderr: expect.stringContaining('--timeframe selects candles') })
  expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('no coin is named') })
  expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('excel') })
})

test.concurrent('a reader that leaves early ends the export without an error', async () => {
  await using site = await openSite()
  await site.run('backfill bitcoin --timeframe 1m --from 2024-03-01 --to 2024-03-21 --force')
  const running = site.start('export bitcoin --timeframe 1m --out -')
  await eventually(() => running.stdout().length > 0, true)
  running.closeOutput()
  const { code, stderr, stdout } = await running.ended
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^coin_id,timeframe,timestamp,/)
})
