import { join } from 'node:path'
import { createEnterable } from './embedded/home.ts'
import { dynamicMarks, inTurn, leaveMark } from './embedded/marks.ts'
import { folderFault } from './folder-fault.ts'

/** A folder that no other process uses until it is released, or until this process is gone. */
export type ClaimedFolder = Readonly<{ path: string; release(): Promise<void> }>

/** Claims the first of `parent/name`, `parent/name-2`, `parent/name-3` … that no living process has claimed. */
export async function claimFolder(parent: string, name: string): Promise<ClaimedFolder> {
  try {
    await createEnterable(parent)
    return await inTurn(join(parent, `${name}-turns`), async () => {
      for (let number = 1; ; number += 1) {
        const path = join(parent, number === 1 ? name : `${name}-${number}`)
        await createEnterable(path)
        const claims = join(path, 'claims')
        // Left before the others are read, so that the folder is there; no other process reads them in our turn.
        const mark = await leaveMark(claims)
        const others = (await dynamicMarks(claims)).filter((other) => other !== mark.name)
        if (others.length === 0) return { path, release: mark.remove }
        await mark.remove()
      }
    })
  } catch (error) {
    throw folderFault(error, parent) ?? error
  }
}
