import { Command } from 'commander'
import { InvalidInput } from '../../fault.ts'
import { type Accepted, acceptQuarantined } from '../../ingest/quarantine/accept.ts'
import { counted } from '../../status/words.ts'
import { asJson } from '../arguments/options.ts'
import { withDatabase } from '../session.ts'
import { answer } from '../terminal/output.ts'
import { accountName, rowsNamed } from './named-rows.ts'

type AcceptOptions = Readonly<{ why?: string; by?: string; json?: boolean }>

export const acceptCommand = (): Command =>
  new Command('accept')
    .description('Store rejected candles as they are.')
    .argument('<id...>', 'give ids of rows, or their beginnings')
    .option('--why <text>', 'record why')
    .option('--by <name>', 'record who; default: the account that runs this')
    .addOption(asJson())
    .action((ids: string[], { why, by = accountName(), json }: AcceptOptions) =>
      withDatabase(async ({ db, database: { pool }, settings, clock }) => {
        if (why?.trim() === '') throw new InvalidInput('--why is empty: say why, or leave it out')
        if (by.trim() === '') throw new InvalidInput('--by is empty: name the person, or leave it out')
        const rows = await rowsNamed(db, ids)
        const deps = { pool, settings, clock, partitions: new Map() }
        const accepting = { by, now: clock.now(), why: why?.trim() }
        const done = await acceptQuarantined(deps, rows, accepting)
        const { accepted, loaded, revised } = done
        answer(json, { accepted, loaded, new: done.new, revised }, () => acceptedText(done, by))
      }),
    )

function acceptedText({ accepted, loaded, revised }: Accepted, by: string): string {
  return [
    `${counted(accepted.length, 'candle')} accepted by ${by} and stored.`,
    ...(revised > 0
      ? [`${counted(revised, 'candle')} accepted before replaced, and kept as revisions.`]
      : []),
    ...(loaded.length > 0
      ? [`${counted(loaded.length, 'other row')} of the same candles resolved as loaded.`]
      : []),
  ].join('\n')
}
