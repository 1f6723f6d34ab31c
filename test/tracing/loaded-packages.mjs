// Imported into a command, it says at the end which packages of OpenTelemetry were loaded.
import { createRequire } from 'node:module'

const { cache } = createRequire(import.meta.url)
process.on('exit', () => {
  const loaded = Object.keys(cache).flatMap((file) => /@opentelemetry\/[\w-]+/.exec(file) ?? [])
  process.stderr.write(`loaded: ${[...new Set(loaded)].sort().join(' ')}\n`)
})
