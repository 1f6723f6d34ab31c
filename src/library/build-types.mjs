// Writes the declarations of the library to `dist/types/`: those that its modules reach, and no others.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

const compiler = 'node_modules/typescript-compiler/bin/tsc'

/** Two spellings of an import in a declaration: `from './x.ts'` and `import("./x.ts")`. */
const imported = /(\bfrom ["']|\bimport\(["'])(\.[^"']*)\.ts(?=["'])/g

/** Compiles the modules of src/library with these names. Throws where the compiler finds a mistake. */
export async function buildTypes(names) {
  await mkdir('dist', { recursive: true })
  const emitted = await mkdtemp('dist/emitted-')
  try {
    const child = spawn(process.execPath, [compiler, '-p', 'src/library', '--outDir', emitted], {
      stdio: 'inherit',
    })
    const [code] = await once(child, 'close')
    if (code !== 0) throw new Error('the declarations of the library were not built')
    await copyReached(
      emitted,
      names.map((name) => `src/library/${name}.d.ts`),
    )
  } finally {
    await rm(emitted, { recursive: true, force: true })
  }
}

/** Copies these declarations and all that they import, naming each by the `.js` that a program resolves. */
async function copyReached(emitted, entries) {
  const reached = new Set(entries)
  for (const file of reached) {
    const text = await readFile(join(emitted, file), 'utf8')
    for (const [, , target] of text.matchAll(imported)) reached.add(join(dirname(file), `${target}.d.ts`))
    const place = join('dist/types', file)
    await mkdir(dirname(place), { recursive: true })
    await writeFile(place, text.replace(imported, '$1$2.js'))
  }
}
