/** `npm run new-source NAME`: writes the skeleton of a source. */
import { execFileSync } from 'node:child_process'
import { projectDir } from '../ground/project.ts'
import { writeSource } from './write-source.ts'

const [id, ...others] = process.argv.slice(2)
if (id === undefined || others.length > 0) {
  process.stderr.write('Usage: npm run new-source NAME\n')
  process.exitCode = 2
} else {
  try {
    const written = writeSource(projectDir, id)
    const sources = written.filter((path) => path.endsWith('.ts'))
    execFileSync('npx', ['biome', 'check', '--write', '--log-level=error', ...sources], {
      cwd: projectDir,
      stdio: 'inherit',
    })
    process.stdout.write(
      `${written.join('\n')}\n\nReplace what is marked TODO(${id}): docs/adding-a-source.md\n`,
    )
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    process.stderr.write(`error: ${error.message}\n`)
    process.exitCode = 2
  }
}
