import { Command } from 'commander'
import { refreshViews } from '../../jobs/refresh-views.ts'
import { InvalidInput } from '../fault.ts'
import { answer, countText } from './output.ts'
import { runHere } from './run-here.ts'
import { withFleet } from './session.ts'

export const viewsCommand = (): Command =>
  new Command('views').description('The summaries.').addCommand(refreshCommand())

const refreshCommand = (): Command =>
  new Command('refresh')
    .description('Refresh a summary now, all of them when none is named; readers go on reading meanwhile.')
    .argument('[name]', 'such as daily_price_summary')
    .option('--json', 'answer as JSON')
    .action((name: string | undefined, { json }: { json?: boolean }) =>
      withFleet(async (session, fleet) => {
        const { views } = session.settings
        if (name !== undefined && !views.includes(name)) {
          throw new InvalidInput(`there is no summary "${name}" to refresh; there is ${views.join(', ')}`)
        }
        const refreshed: { view: string; rows: number }[] = []
        for (const view of name === undefined ? views : [name]) {
          refreshed.push(
            (await runHere(session, fleet, refreshViews, { view })) as { view: string; rows: number },
          )
        }
        answer(json, { refreshed }, () =>
          refreshed.map(({ view, rows }) => `${view} has ${countText(rows)} rows.`).join('\n'),
        )
      }),
    )
