import { join } from 'node:path'
import { createEnterable } from './embedded/home.ts'
import { inTurn, leaveMark, liveMarks } from './embedded/marks.ts'
import { folderFault } from './folder-fault.ts'

/** Exclusive until released or the process ends. */
export type ClaimedFolder = Readonly<{ path: string; release(): Promise<void> }>

/** Claims the first free of `parent/name`, `parent/name-2`, … */
export async function claimFolder(parent: string, name: string): Promise<ClaimedFolder> {
  try {
    await createEnterable(parent)
    return await inTurn(join(parent, `${name}-turns`), async () => {
      for (let number = 1; ; number += 1) {
        const path = join(parent, number === 1 ? name : `${name}-${number}`)
        await createEnterable(path)
        const claims = join(path, 'claims')
        // Our mark first, so that the folder exists; safe within the turn.
        const mark = await leaveMark(claims)
        const others = (await liveMarks(claims)).filter((other) => other !== mark.name)
        if (others.length === 0) return { path, release: mark.remove }
        await mark.remove()
      }
    })
  } catch (error) {
    throw folderFault(error, parent) ?? error
  }
}
