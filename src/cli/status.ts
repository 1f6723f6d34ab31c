import { Command } from 'commander'
import { jobs, queuesWith } from '../../jobs/catalog.ts'
import { readVersion } from '../settings/version.ts'
import { readReadiness } from '../status/readiness/readiness.ts'
import { collectStatus } from '../status/status.ts'
import { readSources } from '../store/coins/instruments.ts'
import { listOpenIncidents } from '../store/incidents.ts'
import { withFleet } from './session.ts'
import { statusText } from './status/text.ts'
import { answer, hasColours, terminalSize } from './terminal/output.ts'

export const statusCommand = (): Command =>
  new Command('status')
    .option('--json', 'print JSON, as /api/status does')
    .action(({ json }: { json?: boolean }) =>
      withFleet(async ({ settings, database, db, clock, log }, { engine, pauses }) => {
        const deps = { settings, pool: database.pool, engine, jobs, clock, log }
        const status = await collectStatus({
          ...deps,
          pauses,
          queues: queuesWith(await readSources(db)),
          startedAt: undefined,
          readiness: () => readReadiness({ ...deps, upSinceMs: Number.NEGATIVE_INFINITY }),
          version: readVersion(),
        })
        const alerts = (await listOpenIncidents(db)).map(({ message }) => message)
        answer(json, status, () =>
          statusText({ status, alerts, colours: hasColours(), size: terminalSize() }),
        )
      }),
    )
