import { join, resolve } from 'node:path'
import { Command } from 'commander'
import { Misconfigured } from '../../fault.ts'
import { noDatabaseIn } from '../../runtime/database.ts'
import { hasData } from '../../runtime/embedded/home.ts'
import { findEmbeddedUrl } from '../../runtime/embedded.ts'
import type { Settings } from '../../settings.ts'
import { asJson } from '../arguments/options.ts'
import { withSession } from '../session.ts'
import { answer } from '../terminal/output.ts'
import { withHiddenPassword } from './url-password.ts'

type UrlOptions = Readonly<{ password?: boolean; json?: boolean }>

export const urlCommand = (): Command =>
  new Command('url')
    .option('--password', 'show the password too')
    .addOption(asJson())
    .action(({ password = false, json }: UrlOptions) =>
      withSession(async (session) => {
        const url = await urlInUse(session.settings)
        const shown = password ? url : withHiddenPassword(url)
        answer(
          json,
          { url: shown, embedded: session.settings.environment.databaseUrl === undefined },
          () => shown,
        )
      }),
    )

/** Throws Misconfigured if the embedded server is not running. */
async function urlInUse({ environment: { databaseUrl, dataDir } }: Settings): Promise<string> {
  if (databaseUrl !== undefined) return databaseUrl
  const place = resolve(dataDir)
  const folder = join(place, 'postgres')
  if (!(await hasData(folder))) throw noDatabaseIn(place)
  const url = await findEmbeddedUrl(folder)
  if (url !== undefined) return url
  throw new Misconfigured(`the PostgreSQL in ${place} is not running. Start it with: beacon start`)
}
