import { Command } from 'commander'
import { jobs } from '../../jobs/catalog.ts'
import type { Outcome } from '../queue/job.ts'
import { listCoins, unfollowCoin } from '../store/coins.ts'
import { inTransaction } from '../store/transaction.ts'
import { chosenCoins } from './chosen-coins.ts'
import { addCommand } from './coins/add.ts'
import { listCommand } from './coins/list.ts'
import { answer, print } from './output.ts'
import { runHere } from './run-here.ts'
import { withDatabase, withFleet } from './session.ts'
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
    .argument('<coin>', 'its id')
    .option('--json', 'answer as JSON')
    .action((coinId: string, { json }: { json?: boolean }) =>
      withDatabase(async ({ db, database, clock }) => {
        chosenCoins(await listCoins(db), [coinId])
        const ended = await inTransaction(database.pool, (tx) => unfollowCoin(tx, coinId, clock.now()))
        if (json) answer(json, { coinId, markets: ended }, () => '')
        else print(`${coinId} is no longer tracked; its data stays.`)
      }),
    )

const syncJobs = ['sync-instruments', 'sync-coins']

const syncCommand = (): Command =>
  new Command('sync')
    .description('Check now whether the tracked markets are still listed; update the details of the coins.')
    .option('--json', 'answer as JSON')
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
            { title: 'job', of: ({ job, payload }) => `${job} ${wordsOf(payload)}`.trim() },
            { title: 'outcome', of: ({ outcome }) => wordsOf(outcome) },
          ]),
        )
      }),
    )

const wordsOf = (facts: unknown): string =>
  Object.entries(facts ?? {})
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')
