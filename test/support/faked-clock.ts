import { readdirSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The library of Debian's package libfaketime; undefined where it is not installed. */
export const fakeTimeLibrary: string | undefined = listed('/usr/lib')
  .map((folder) => join('/usr/lib', folder, 'faketime'))
  .flatMap((folder) => listed(folder).map((file) => join(folder, file)))
  .find((file) => file.endsWith('/libfaketime.so.1'))

function listed(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // no such folder here
  }
}

if (fakeTimeLibrary === undefined) {
  process.stderr.write(
    'no libfaketime was found: the tests that set the clock of whole processes are left out\n',
  )
}

/** A clock that whole processes go by. Its file may be read by every account. */
export type FakedClock = Readonly<{
  /** For the environment of a process. How fast time passes is not faked, nor what measures it. */
  variables: Readonly<Record<string, string>>
  /** Sets it so many seconds ahead of the machine's. */
  set(aheadSeconds: number): Promise<void>
}>

export async function openFakedClock(folder: string): Promise<FakedClock> {
  const file = join(folder, 'clock')
  const set = async (aheadSeconds: number) => {
    const next = `${file}.next`
    await writeFile(next, `${aheadSeconds < 0 ? '' : '+'}${aheadSeconds}\n`, { mode: 0o644 })
    await rename(next, file)
  }
  await set(0)
  return {
    variables: {
      LD_PRELOAD: fakeTimeLibrary ?? '',
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      DONT_FAKE_MONOTONIC: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    set,
  }
}
