import { Argument, Command, Option } from 'commander'
import { InvalidInput } from '../../fault.ts'
import { csvLine } from '../../files/formats/csv-writer.ts'
import { counted } from '../../status/words.ts'
import { runStatement, type StatementResult } from '../../store/figures/run-statement.ts'
import { asJson } from '../arguments/options.ts'
import { withServer } from '../session.ts'
import { print, printJson, say } from '../terminal/output.ts'
import { table } from '../terminal/table.ts'
import { openPsql } from './psql.ts'

type SqlOptions = Readonly<{ write?: boolean; csv?: boolean; json?: boolean }>

export const sqlCommand = (): Command =>
  new Command('sql')
    .addArgument(new Argument('[statement]', 'run this statement; default: open psql'))
    .option('--write', 'allow changes; otherwise the session is read-only')
    .addOption(new Option('--csv', 'print CSV').conflicts('json'))
    .addOption(asJson())
    .action((statement: string | undefined, options: SqlOptions) =>
      withServer(async ({ settings, signal }, { url }) => {
        const { write: mayWrite = false, csv, json } = options
        if (statement === undefined) {
          if (csv || json) throw new InvalidInput('--csv and --json print the rows of a statement: name one')
          return openPsql(url, mayWrite)
        }
        if (statement.trim() === '')
          throw new InvalidInput('the statement is empty: write one, or open psql with: beacon sql')
        const { connectionTimeout: connectionTimeoutMs } = settings.database
        show(await runStatement(url, statement, { mayWrite, connectionTimeoutMs, signal }), options)
      }),
    )

function show(result: StatementResult, { csv, json }: SqlOptions): void {
  const { columns, rows, command, count } = result
  if (json) printJson({ command, count, columns, rows })
  else if (columns.length === 0) say(`${command}: ${counted(count, 'row')}.`)
  else if (csv) print([columns, ...rows].map(csvLine).join('\n'))
  else {
    print(rowTable(result))
    say(`${counted(rows.length, 'row')}.`)
  }
}

const rowTable = ({ columns, rows }: StatementResult): string =>
  table(
    rows,
    columns.map((title, place) => ({ title, of: (row: (typeof rows)[number]) => row[place] ?? '' })),
  )
