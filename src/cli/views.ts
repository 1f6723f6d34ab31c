import { Command } from 'commander'
import type { ViewRefresh } from '../../drizzle/schema/summaries.ts'
import { refreshViews } from '../../jobs/refresh-views.ts'
import { InvalidInput } from '../fault.ts'
import { describeRecordedHold } from '../lifecycle/describe-retention.ts'
import type { Summarised } from '../lifecycle/summarise.ts'
import { toIso, toMinuteText } from '../market/instant.ts'
import { didYouMean } from '../settings/did-you-mean.ts'
import { durationText } from '../settings/duration.ts'
import { nameOf } from '../store/lifecycle/list-partitions.ts'
import { holdText, listHolds, type RecordedHold } from '../store/lifecycle/partition-holds.ts'
import { summarisedTables } from '../store/lifecycle/summary-days.ts'
import { listRefreshes } from '../store/lifecycle/view-refreshes.ts'
import { databaseOf } from '../store/transaction.ts'
import { runHere } from './session/run-here.ts'
import { withDatabase, withFleet } from './session.ts'
import { answer, countText } from './terminal/output.ts'
import { table } from './terminal/table.ts'

type JsonOption = Readonly<{ json?: boolean }>

export const viewsCommand = (): Command =>
  new Command('views').addCommand(listCommand()).addCommand(refreshCommand())

const listCommand = (): Command =>
  new Command('list')
    .description('List recent refreshes and coins with an incomplete day.')
    .option('--json', 'print JSON')
    .action(({ json }: JsonOption) =>
      withDatabase(async ({ settings, database }) => {
        const db = databaseOf(database.pool)
        const lists = await Promise.all(settings.views.map((view) => listRefreshes(db, view, 5)))
        const refreshes = lists.flat()
        const asJson = refreshes.map(({ fingerprint: _, refreshedAt, coversTo, ...refresh }) => ({
          ...refresh,
          refreshedAt: toIso(refreshedAt),
          coversTo: toIso(coversTo),
        }))
        const holds = (await listHolds(db)).filter((one) => summarisedTables.has(one.table))
        answer(json, { refreshes: asJson, holds: holds.map(describeRecordedHold) }, () =>
          [refreshTable(refreshes), ...holds.map(holdLine)].join('\n'),
        )
      }),
    )

/** Why expired candles were not deleted. */
const holdLine = (one: RecordedHold): string =>
  `${nameOf(one)} is not deleted since ${toMinuteText(one.heldSince)} UTC: ${holdText(one.hold)}`

const refreshTable = (refreshes: readonly ViewRefresh[]): string =>
  refreshes.length === 0
    ? 'None has been refreshed yet. Refresh now with: beacon views refresh'
    : table(refreshes, [
        { title: 'view', of: ({ view }) => view },
        { title: 'refreshed', of: ({ refreshedAt }) => toMinuteText(refreshedAt) },
        { title: 'took', of: ({ durationMs }) => durationText(durationMs), align: 'right', leaveOut: 1 },
        { title: 'rows', of: ({ rows }) => countText(rows), align: 'right' },
        { title: 'days before', of: ({ coversTo }) => toIso(coversTo).slice(0, 10) },
        { title: 'incomplete', of: ({ incomplete }) => incompleteText(incomplete), wraps: true },
      ])

const namedCoins = 3

/** `bitcoin (3 h), ethereum (1 h), 2 more coins` */
function incompleteText(incomplete: Summarised['incomplete']): string {
  const coins = Object.entries(incomplete)
    .toSorted()
    .map(([coinId, candles]) => `${coinId} (${candles} h)`)
  const more = coins.length - namedCoins
  return [...coins.slice(0, namedCoins), ...(more > 0 ? [`${more} more coins`] : [])].join(', ')
}

const refreshCommand = (): Command =>
  new Command('refresh')
    .description('Refresh summaries now; fetch missing candles of yesterday.')
    .argument('[name]', 'name the summary, such as daily_price_summary; default: all')
    .option('--json', 'print JSON')
    .action((name: string | undefined, { json }: JsonOption) =>
      withFleet(async (session, fleet) => {
        const { views } = session.settings
        if (name !== undefined && !views.includes(name)) {
          throw new InvalidInput(
            `there is no view "${name}".${didYouMean(name, views)} There is ${views.join(', ')}`,
          )
        }
        const refreshed: Summarised[] = []
        for (const view of name === undefined ? views : [name]) {
          refreshed.push((await runHere(session, fleet, refreshViews, { view })) as Summarised)
        }
        answer(json, { refreshed }, () => refreshed.map(refreshedText).join('\n'))
      }),
    )

function refreshedText({ view, rows, incomplete }: Summarised): string {
  const missing = incompleteText(incomplete)
  return `${view} has ${countText(rows)} rows.${missing === '' ? '' : ` Of yesterday there is missing: ${missing}.`}`
}
