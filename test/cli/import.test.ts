import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hour } from '../../src/market/instant.ts'
import { aFile, binanceLines, first, hours } from '../files/importing.ts'
import { eventually } from '../support/eventually.ts'
import { openSite, type Site, storedLines } from './support/site.ts'

const candles = hours(30)

const asStored = (many: typeof candles): string[] =>
  many.map(({ time, values }) =>
    [
      new Date(time).toISOString(),
      ...values.map((text) => {
        const [whole, fraction = ''] = text.split('.')
        return `${whole}.${fraction.padEnd(8, '0')}`
      }),
    ].join(' '),
  )

const stored = (site: Site): Promise<string[]> => storedLines(site, 'ethereum', '1h')

test.concurrent('an import shows its plan, loads the files of a folder, and reports what differs', async () => {
  await using site = await openSite()
  const months = join(site.folder, 'months')
  await mkdir(months)
  await mkdir(join(site.folder, 'empty'))
  await aFile(months, 'ETHUSDT-1h-2024-03-01.csv', binanceLines(candles.slice(0, 24), 'ms'))
  await aFile(months, 'ETHUSDT-1h-2024-03-02.csv', binanceLines(candles.slice(24), 'us'))
  const changed = candles.map((one, index) =>
    index === 2 ? { ...one, values: one.values.with(0, '100') } : one,
  )
  const other = await aFile(site.folder, 'ETHUSDT-1h-2024-03.csv', binanceLines(changed, 'ms'))
  const bad = await aFile(
    site.folder,
    'ETHUSDT-1h-2024-02.csv',
    binanceLines(
      [{ time: first - hour, values: ['1', '1', '2', '1', '1'] }, ...hours(1, first - 2 * hour)],
      'ms',
    ),
  )
  const [plan, refused, loaded, again, differs, replaced, rejected, certificate, nothing, gone] =
    await site.runLines([
      `import ${months} --dry-run --json`,
      `import ${months}`,
      `import ${months} --force`,
      `import ${months} --json`,
      `import ${other}`,
      `import ${other} --replace`,
      `import ${bad} --force`,
      'certificate ethereum --timeframe 1h --from 2024-03-01 --to 2024-03-02 --json',
      `import ${site.folder}/empty`,
      `import ${site.folder}/gone.csv`,
    ])
  expect(plan).toMatchObject({ code: 0, stderr: '' })
  expect(JSON.parse(plan?.stdout ?? '').plan).toMatchObject([
    {
      format: 'binance',
      series: [{ coinId: 'ethereum', timeframe: '1h', source: 'binance', new: 24, expiring: 24 }],
    },
    { format: 'binance', series: [{ rows: 6, new: 6 }] },
  ])
  expect(refused).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/retention would delete 30 of these candles.*--force/),
  })
  expect(loaded).toMatchObject({ code: 0, stdout: expect.stringMatching(/^30 new, 0 replaced, 0 unchanged/) })
  expect(loaded?.stderr).toMatch(/^ETHUSDT-1h-2024-03-02.*2024-03-02 00:00/m)
  expect(again).toMatchObject({ code: 0 })
  expect(JSON.parse(again?.stdout ?? '').result).toMatchObject({ new: 0, unchanged: 30, kept: 0 })
  expect(differs).toMatchObject({ code: 1 })
  expect(differs?.stderr).toContain('ethereum 1h 2024-03-01 02:00 UTC: open 100 (stored 102.25000000)')
  expect(differs?.stderr).toMatch(/error: 1 candle of the files differs .*\n.*\nReplace .* --replace/)
  expect(replaced).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^0 new, 1 replaced, 29 unchanged/),
  })
  expect(rejected).toMatchObject({ code: 1 })
  expect(rejected?.stderr).toMatch(
    /1 row was rejected \(.*\)\. Inspect it with: beacon quarantine list --coin ethereum/,
  )
  expect(JSON.parse(certificate?.stdout ?? '').certificates[0].runs.first).toMatchObject([
    {
      job: 'import',
      source: 'binance',
      file: { name: expect.stringMatching(/csv$/), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    },
    { job: 'import' },
    { job: 'import' },
    { job: 'import' },
  ])
  expect(nothing).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/empty has no file of a known format/),
  })
  expect(gone).toMatchObject({ code: 2, stderr: expect.stringMatching(/there is no file .*gone\.csv/) })
  expect((await stored(site)).slice(1)).toEqual(asStored(changed))
})

test.concurrent('an import that is killed and run again stores the same rows as one that was not', async () => {
  await using site = await openSite()
  const many = hours(45_000, first - 45_000 * hour)
  const lines = many.map(({ time, values }) => [time, ...values].join(','))
  const file = await aFile(
    site.folder,
    'many.csv',
    ['timestamp,open,high,low,close,volume', ...lines].join('\n'),
  )
  const command = `import ${file} --coin ethereum --timeframe 1h --force`
  const running = site.start(command)
  await eventually(() => running.stderr().includes('20,000 of 45,000 rows'), true)
  await running.stop('SIGKILL')
  const left = await stored(site)
  expect([20_000, 40_000, 45_000]).toContain(left.length)
  expect(await site.run(command)).toMatchObject({ code: 0 })
  expect(await stored(site)).toEqual(asStored(many))
})
