import { Command } from 'commander'
import { jobs } from '../../jobs/catalog.ts'
import type { Outcome } from '../queue/job.ts'
import { listCoins, unfollowCoin } from '../store/coins.ts'
import { inTransaction } from '../store/transaction.ts'
import { asJson, namedCoins } from './arguments/options.ts'
import { addCommand } from './coins/add.ts'
import { listCommand } from './coins/list.ts'
import { chosenCoins } from './series/chosen-coins.ts'
import { runHere } from './session/run-here.ts'
import { withDatabase, withFleet } from './session.ts'
import { answer } from './terminal/output.ts'
import { table } from './terminal/table.ts'

export const coinsCommand = (): Command =>
  new Command('coins')
    .addCommand(listCommand())
    .addCommand(addCommand())
    .addCommand(removeCommand())
    .addCommand(syncCommand())

const removeCommand = (): Command =>
  new Command('remove')
    .description('Stop tracking a coin; keep its data.')
    .addArgument(namedCoins().argRequired())
    .addOption(asJson())
    .action((names: string[], { json }: { json?: boolean }) =>
      withDatabase(async ({ db, database, settings, clock }) => {
        const removed = chosenCoins(await listCoins(db), names, settings)
        const markets = await inTransaction(database.pool, async (tx) => {
          const ended: { coinId: string; markets: unknown }[] = []
          for (const { id } of removed)
            ended.push({ coinId: id, markets: await unfollowCoin(tx, id, clock.now()) })
          return ended
        })
        answer(json, { coins: markets }, () =>
          removed.map(({ id }) => `${id} is no longer tracked; its data stays.`).join('\n'),
        )
      }),
    )

const syncJobs = ['sync-instruments', 'sync-coins']

const syncCommand = (): Command =>
  new Command('sync')
    .description('Check that tracked markets are listed; update coin details.')
    .option('--json', 'print JSON')
    .action(({ json }: { json?: boolean }) =>
      withFleet(async (session, fleet) => {
        const coins = await listCoins(session.db)
        const done: { job: string; payload: unknown; outcome: Outcome }[] = []
        for (const job of jobs.filter(({ name }) => syncJobs.includes(name))) {
          for (const { payload } of job.schedules?.(session.settings, coins) ?? []) {
            done.push({ job: job.name, payload, outcome: await runHere(session, fleet, job, payload) })
          }
        }
        answer(json, { runs: done }, () =>
          table(done, [
            { title: 'job', of: ({ job, payload }) => `${job} ${wordsOf(payload)}`.trim(), wraps: true },
            { title: 'outcome', of: ({ outcome }) => wordsOf(outcome), wraps: true },
          ]),
        )
      }),
    )

const wordsOf = (facts: unknown): string =>
  Object.entries(facts ?? {})
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')
