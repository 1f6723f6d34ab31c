/** `npm run docs`: writes the generated pages, from the program, the configuration and a migrated database. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pool } from 'pg'
import { openEmbeddedPostgres } from '../../src/runtime/embedded.ts'
import { openLog } from '../../src/runtime/log.ts'
import { Releases } from '../../src/runtime/release.ts'
import { migrateUp } from '../../src/store/migrations.ts'
import { projectDir } from '../ground/project.ts'
import { generatedPages } from './generated-pages.ts'

const releases = new Releases()
try {
  const folder = await mkdtemp(join(tmpdir(), 'beacon-docs-'))
  releases.push(() => rm(folder, { recursive: true, force: true }))
  // As root, the server runs as another account, which must be able to enter.
  await chmod(folder, 0o711)
  const log = openLog({ level: 'warn', pretty: true })
  const server = await openEmbeddedPostgres({ dataDir: join(folder, 'postgres'), log })
  releases.push(server.release)
  await migrateUp(server.url)
  const pool = new Pool({ connectionString: server.url })
  releases.push(() => pool.end())
  for (const [path, text] of Object.entries(await generatedPages(pool)))
    await writeFile(join(projectDir, path), text)
} finally {
  await releases.release()
}
