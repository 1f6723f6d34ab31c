// A process that uses the embedded server, for tests in which processes matter: opens it, tells, and releases it
// when told to. Arguments: the data folder.
import { openEmbeddedPostgres } from '../../src/runtime/embedded.ts'
import { openLog } from '../../src/runtime/log.ts'

const [, , dataDir = ''] = process.argv
const log = openLog({ level: 'info', pretty: false })
try {
  const { url, startedHere, dataDir: folder, release } = await openEmbeddedPostgres({ dataDir, log })
  process.send?.({ url, startedHere, dataDir: folder })
  process.once('message', async () => {
    await release()
    process.disconnect()
  })
} catch (error) {
  process.send?.({ failure: String(error) })
  process.disconnect()
}
