import type { Pool } from 'pg'
import { wholeProgram } from '../../src/cli.ts'
import { readText } from '../ground/project.ts'
import { commandsPage } from './commands-page.ts'
import { configurationPage } from './configuration-page.ts'
import { dataModelPage } from './data-model-page.ts'
import { reliabilityPage } from './faults-section.ts'

/** The generated pages by their path. `pool` is of a migrated database. */
export const generatedPages = async (pool: Pool): Promise<Readonly<Record<string, string>>> => ({
  'docs/commands.md': commandsPage(await wholeProgram()),
  'docs/configuration.md': configurationPage(readText('config/default.yaml')),
  'docs/data-model.md': await dataModelPage(pool),
  'docs/reliability.md': reliabilityPage(readText('docs/reliability.md')),
})
