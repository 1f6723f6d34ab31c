import { Command } from 'commander'
import { toIso, toMinuteText } from '../market/instant.ts'
import { counted } from '../status/words.ts'
import { type MigrationStatus, migrateUp, migrationStatus, verifyMigrations } from '../store/migrations.ts'
import { migrateDownCommand } from './migrate/down.ts'
import { withServer } from './session.ts'
import { answer } from './terminal/output.ts'
import { table } from './terminal/table.ts'

type JsonOption = Readonly<{ json?: boolean }>

export const migrateCommand = (): Command =>
  new Command('migrate')
    .addCommand(upCommand())
    .addCommand(migrateDownCommand())
    .addCommand(statusCommand())
    .addCommand(verifyCommand())

const upCommand = (): Command =>
  new Command('up')
    .description('Apply pending migrations; the daemon does this by itself.')
    .option('--json', 'print JSON')
    .action(({ json }: JsonOption) =>
      withServer(
        async (_session, { url }) => {
          const applied = await migrateUp(url)
          answer(json, { applied }, () =>
            applied.length === 0 ? 'The schema is up to date.' : `Applied ${applied.join(', ')}.`,
          )
        },
        { mayCreate: true },
      ),
    )

const statusCommand = (): Command =>
  new Command('status')
    .description('List migrations, and when they were applied.')
    .option('--json', 'print JSON')
    .action(({ json }: JsonOption) =>
      withServer(async (_session, { url }) => {
        const migrations = await migrationStatus(url)
        const asJson = migrations.map(({ appliedAt, ...migration }) => ({
          ...migration,
          ...(appliedAt === undefined ? {} : { appliedAt: toIso(appliedAt) }),
        }))
        answer(json, { migrations: asJson }, () => migrationTable(migrations))
      }),
    )

const verifyCommand = (): Command =>
  new Command('verify')
    .description('Check that applied migrations are unchanged and known.')
    .option('--json', 'print JSON')
    .action(({ json }: JsonOption) =>
      withServer(async (_session, { url }) => {
        const verified = await verifyMigrations(url)
        answer(
          json,
          { verified },
          () => `${counted(verified.length, 'applied migration')}, none of them edited since.`,
        )
      }),
    )

const migrationTable = (migrations: readonly MigrationStatus[]): string =>
  table(migrations, [
    { title: 'migration', of: ({ name }) => name },
    {
      title: 'applied (UTC)',
      of: ({ appliedAt }) => (appliedAt === undefined ? 'not yet' : toMinuteText(appliedAt)),
    },
  ])
