import { access, constants, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'

const memory = '/dev/shm'
const enoughBytes = 4 * 1_024 ** 3

/**
 * Where the servers of the tests keep their data: in memory where the machine has a folder for that, of which a container
 * may have very little. A disk spends most of a run on the thousands of files that a cloned database is made of.
 */
export async function memoryFolder(): Promise<string> {
  try {
    await access(memory, constants.W_OK)
    const { bavail, bsize } = await statfs(memory)
    return bavail * bsize >= enoughBytes ? memory : tmpdir()
  } catch {
    return tmpdir() // no such folder here
  }
}
