import { Command } from 'commander'
import { InvalidInput } from '../../fault.ts'
import { type ColumnMapping, readMapping } from '../../files/import/column-names.ts'
import { type PlannedFile, planFile } from '../../files/import/import-plan.ts'
import { type ImportedRows, loadFile } from '../../files/import/load-file.ts'
import { isDataFile } from '../../files/import/open-file.ts'
import { filesAt } from '../../files/import/source-file.ts'
import { candleSource } from '../../ingest/markets.ts'
import { counted } from '../../status/words.ts'
import { addAccounting, nothingReceived } from '../../store/candles.ts'
import { listCoins } from '../../store/coins.ts'
import { asJson, importedTimeframe } from '../arguments/options.ts'
import { readTimeframe } from '../arguments.ts'
import { Incomplete } from '../backfill.ts'
import { chosenCoins } from '../series/chosen-coins.ts'
import { type DatabaseSession, withDatabase } from '../session.ts'
import { withCountingBar } from '../terminal/counting-bar.ts'
import { answer, countText, print, printJson, say } from '../terminal/output.ts'
import { differencesText, importedText, planJson, planText, rejectedText } from './import-text.ts'

export type ImportOptions = Readonly<{
  coin?: string
  timeframe?: string
  source?: string
  columns?: string
  dryRun?: boolean
  replace?: boolean
  force?: boolean
  json?: boolean
}>

export const importCommand = (): Command =>
  new Command('import')
    .argument('<file...>', 'name files or folders')
    .option('--coin <id>', 'select the coin; default: by the file')
    .addOption(importedTimeframe())
    .option('--source <id>', 'record this source; default: by the file')
    .option('--columns <list>', 'name columns: time=Unix,volume="Volume BTC"')
    .option('--dry-run', 'show the plan only')
    .option('--replace', 'replace stored candles that differ')
    .option('--force', 'load candles that are past their retention')
    .addOption(asJson())
    .action((paths: string[], options: ImportOptions) =>
      withDatabase((session) => runImport(session, paths, options), { mayCreate: true }),
    )

async function runImport(
  session: DatabaseSession,
  paths: readonly string[],
  options: ImportOptions,
): Promise<void> {
  const plans = await planAll(session, paths, options)
  if (options.dryRun) return answer(options.json, { plan: planJson(plans) }, () => planText(plans))
  const expiring = plans.flatMap(({ series }) => series).reduce((sum, one) => sum + one.expiring, 0)
  if (expiring > 0 && !options.force)
    throw new InvalidInput(
      `retention would delete ${countText(expiring)} of these candles at once. Load them all the same with --force, or see them with --dry-run`,
    )
  say(planText(plans))
  const imported = await loadAllOf(session, plans, options)
  if (options.json) printJson({ plan: planJson(plans), result: imported })
  else print(importedText(imported))
  refuseIncompleteImport(plans, imported)
}

async function planAll(
  { db, settings, clock, database, signal }: DatabaseSession,
  paths: readonly string[],
  options: ImportOptions,
): Promise<PlannedFile[]> {
  const coins = await listCoins(db)
  const [coin] = options.coin === undefined ? [] : chosenCoins(coins, [options.coin], settings)
  const mapping: ColumnMapping = options.columns === undefined ? {} : readMapping(options.columns)
  const request = {
    coin,
    timeframe: options.timeframe === undefined ? undefined : readTimeframe(options.timeframe, settings),
    source: options.source === undefined ? undefined : candleSource(options.source).id,
    mapping,
  }
  const plans: PlannedFile[] = []
  for (const path of await filesAt(paths, isDataFile)) {
    if (signal.aborted) throw new Incomplete('stopped before anything was imported; run it again')
    plans.push(await planFile({ pool: database.pool, settings, coins, now: clock.now() }, request, path))
  }
  return plans
}

async function loadAllOf(
  { settings, clock, database, signal }: DatabaseSession,
  plans: readonly PlannedFile[],
  options: ImportOptions,
): Promise<ImportedRows> {
  const rows = plans.flatMap(({ series }) => series).reduce((sum, one) => sum + one.rows, 0)
  const deps = { pool: database.pool, partitions: new Map(), settings, clock, signal }
  let total: ImportedRows = { ...nothingReceived, kept: 0 }
  let done = 0
  await withCountingBar(rows, 'rows', async (show) => {
    for (const plan of plans) {
      const one = await loadFile(deps, plan, {
        mayReplace: options.replace ?? false,
        onProgress: (count) => {
          done += count
          show(done)
        },
      })
      total = { ...addAccounting(total, one), kept: total.kept + one.kept }
    }
  })
  return total
}

/** Differing candles stay as stored; rejected ones are missing. */
function refuseIncompleteImport(plans: readonly PlannedFile[], { kept }: ImportedRows): void {
  if (kept > 0)
    throw new Incomplete(
      `${counted(kept, 'candle')} of the files ${kept === 1 ? 'differs from the stored one and was' : 'differ from stored ones and were'} not imported:\n${differencesText(plans)}\nReplace the stored ones with the same command and --replace`,
    )
  const rejected = rejectedText(plans)
  if (rejected !== undefined) throw new Incomplete(rejected)
}
