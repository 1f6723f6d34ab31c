import { Command } from 'commander'
import { commandLine } from '../../command-line.ts'
import { Misconfigured } from '../../fault.ts'
import { rolesInUse } from '../../runtime/presence.ts'
import type { Role } from '../../settings/roles.ts'
import { counted } from '../../status/words.ts'
import { type DownPlan, mostCounted } from '../../store/migrations/down-plan.ts'
import { migrateDown, planMigrateDown } from '../../store/migrations.ts'
import { withServer } from '../session.ts'
import { answer, countText, say } from '../terminal/output.ts'
import { table } from '../terminal/table.ts'

type DownOptions = Readonly<{ to?: string; yes?: boolean; json?: boolean }>

export const migrateDownCommand = (): Command =>
  new Command('down')
    .description('Undo the last migration; shows what that deletes.')
    .option('--to <name>', 'undo everything after this migration; 0 undoes all')
    .option('--yes', 'undo even if rows are deleted or daemons are running')
    .option('--json', 'print JSON')
    .action((options: DownOptions) =>
      withServer(async (_session, { url }) => {
        const target = options.to === undefined ? {} : { to: options.to }
        const roles = await rolesInUse(url)
        if (roles.length > 0 && !options.yes) throw inUse(roles, options)
        // Running daemons hold locks on tables: trying the steps out would wait for them.
        const plan = roles.length > 0 ? uncounted : await planMigrateDown(url, target)
        if (isLoss(plan)) {
          say(lossText(plan))
          if (!options.yes) throw refusal(plan, options)
        }
        const undone = await migrateDown(url, target)
        const { tables, columns } = plan
        answer(options.json, { undone, deleted: { tables, columns } }, () =>
          undone.length === 0 ? 'There is nothing to undo.' : `Undid ${undone.join(', ')}.`,
        )
      }),
    )

/** The same command, as it is to be run. */
const confirmed = ({ to, json }: DownOptions): string =>
  `${to === undefined ? 'beacon migrate down' : commandLine`beacon migrate down --to ${to}`}${json ? ' --json' : ''} --yes`

const uncounted: DownPlan = { migrations: [], tables: [], columns: [] }

const inUse = (roles: readonly Role[], options: DownOptions): Misconfigured =>
  new Misconfigured(
    `daemons are running on this database (roles: ${roles.join(', ')}). Stop them first, or have them stop by themselves with: ${confirmed(options)}`,
  )

const isLoss = ({ tables, columns }: DownPlan): boolean => tables.length + columns.length > 0

const amount = (count: number): string =>
  count < mostCounted ? countText(count) : `${countText(mostCounted)} or more`

const lossText = ({ migrations, tables, columns }: DownPlan): string =>
  [
    `Undoing ${migrations.length === 1 ? migrations[0] : counted(migrations.length, 'migration')} deletes:`,
    table(
      [
        ...tables.map((one) => ({
          place: one.table,
          lost: `${amount(one.rows)} ${one.rows === 1 ? 'row' : 'rows'}`,
        })),
        ...columns.map((one) => ({
          place: `${one.table}.${one.column}`,
          lost: `${amount(one.values)} ${one.values === 1 ? 'value' : 'values'}`,
        })),
      ],
      [
        { title: 'from', of: ({ place }) => place },
        { title: 'deleted', of: ({ lost }) => lost, align: 'right' },
      ],
    ),
    '',
  ].join('\n')

function refusal({ tables, columns }: DownPlan, options: DownOptions): Misconfigured {
  const lost = [
    ...(tables.length > 0 ? [`the rows of ${counted(tables.length, 'table')}`] : []),
    ...(columns.length > 0 ? [`the values of ${counted(columns.length, 'column')}`] : []),
  ]
  return new Misconfigured(
    `nothing was undone: ${lost.join(' and ')} would be deleted. Back up the database, then run: ${confirmed(options)}`,
  )
}
