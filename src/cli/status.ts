import { Command } from 'commander'
import { jobs, queuesWith } from '../../jobs/catalog.ts'
import { readVersion } from '../settings/version.ts'
import { collectStatus } from '../status/status.ts'
import { listOpenIncidents } from '../store/incidents.ts'
import { readSources } from '../store/instruments.ts'
import { answer, hasColours } from './output.ts'
import { withFleet } from './session.ts'
import { statusText } from './status-text.ts'

export const statusCommand = (): Command =>
  new Command('status')
    .option('--json', 'answer as JSON, as /api/status does')
    .action(({ json }: { json?: boolean }) =>
      withFleet(async ({ settings, database, db, clock, log }, { engine, stops }) => {
        const status = await collectStatus({
          settings,
          pool: database.pool,
          engine,
          stops,
          jobs,
          queues: queuesWith(await readSources(db)),
          clock,
          log,
          startedAt: undefined,
          version: readVersion(),
        })
        const alerts = (await listOpenIncidents(db)).map(({ sentence }) => sentence)
        answer(json, status, () => statusText({ status, alerts, colours: hasColours() }))
      }),
    )
