import { readSettings } from '../../src/settings.ts'
import { refreshView } from '../../src/store/lifecycle/views.ts'
import { openPool } from '../../src/store/pool.ts'

// Refreshes a view as a process of its own: `refreshing-process.ts DATABASE_URL VIEW`.
const [url = '', view = ''] = process.argv.slice(2)
const pool = openPool(url, readSettings({}).database, (error) => {
  throw error
})
await refreshView(pool, view)
await pool.end()
