import { type ExecFileOptions, execFile } from 'node:child_process'
import { chmod, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Like `promisify(execFile)`, with a status that is not 0 as an answer. */
export async function outcomeOf(
  file: string,
  args: readonly string[],
  options: ExecFileOptions,
): Promise<Readonly<{ code: number; stdout: string; stderr: string }>> {
  try {
    const { stdout, stderr } = await promisify(execFile)(file, args, { ...options, encoding: 'utf8' })
    return { code: 0, stdout, stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: unknown; stdout: string; stderr: string }
    if (typeof code !== 'number') throw error
    return { code, stdout, stderr }
  }
}

/** An empty project that the packed package was installed into, as a user does it. */
export type InstalledPackage = Readonly<{
  folder: string
  tarball: string
  /** What `npm install` wrote to standard error. */
  warnings: string
  remove(): Promise<void>
}>

export async function installPackage(packageDir: string): Promise<InstalledPackage> {
  const folder = await mkdtemp(join(tmpdir(), 'beacon-installed-'))
  // The embedded server runs as another account where the tests run as root.
  await chmod(folder, 0o755)
  const npm = (args: readonly string[], cwd: string) =>
    promisify(execFile)('npm', [...args, '--no-audit', '--no-fund'], { cwd, encoding: 'utf8' })
  await npm(['pack', '--ignore-scripts', '--pack-destination', folder], packageDir)
  const [tarball = ''] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'))
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'consumer', type: 'module', private: true }),
  )
  const { stderr } = await npm(['install', '--prefer-offline', `./${tarball}`], folder)
  // The types of Node are a project's own business: this one has those of ours.
  const types = join(folder, 'node_modules/@types/node')
  await rm(types, { recursive: true, force: true })
  await symlink(join(packageDir, 'node_modules/@types/node'), types)
  return {
    folder,
    tarball: join(folder, tarball),
    warnings: stderr,
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
