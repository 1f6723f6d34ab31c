import { createHash, randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { InvalidInput, Misconfigured } from '../../fault.ts'
import { hasCode } from '../../runtime/error-code.ts'

/** Written under a temporary name and renamed when complete. */
export class OutputFile {
  bytes = 0
  readonly path: string
  /** The temporary path. */
  readonly draft: string
  readonly #handle: FileHandle
  readonly #hash = createHash('sha256')
  #isOpen = true

  private constructor(path: string, draft: string, handle: FileHandle) {
    this.path = path
    this.draft = draft
    this.#handle = handle
  }

  /** Creates the folder too. */
  static async create(path: string): Promise<OutputFile> {
    const draft = `${path}.${randomUUID().slice(0, 8)}.part`
    try {
      await mkdir(dirname(path), { recursive: true })
      return new OutputFile(path, draft, await open(draft, 'wx'))
    } catch (cause) {
      throw unwritable(path, cause)
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes)
    this.bytes += bytes.length
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await this.#handle.write(bytes, at)
      at += bytesWritten
    }
  }

  async finish(): Promise<string> {
    await this.#handle.sync()
    await this.#close()
    return this.#hash.digest('hex')
  }

  publish(): Promise<void> {
    return rename(this.draft, this.path)
  }

  async discard(): Promise<void> {
    await this.#close()
    await rm(this.draft, { force: true })
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    await this.#handle.close()
  }
}

const unwritable = (path: string, cause: unknown): unknown =>
  hasCode(cause, 'EACCES', 'EPERM', 'ENOTDIR', 'EEXIST', 'ENAMETOOLONG', 'EISDIR', 'ENOENT')
    ? new Misconfigured(`${path} cannot be written (${cause instanceof Error ? cause.message : cause})`, {
        cause,
      })
    : cause

/** Throws InvalidInput for existing files unless replaceable. */
export async function refuseExisting(paths: readonly string[], mayReplace: boolean): Promise<void> {
  for (const path of paths) {
    const found = await kindOf(path)
    if (found === 'folder') throw new InvalidInput(`${path} is a folder: choose another --out`)
    if (found === 'file' && !mayReplace)
      throw new InvalidInput(`${path} exists: add --replace to overwrite it, or choose another --out`)
  }
}

export async function kindOf(path: string): Promise<'file' | 'folder' | undefined> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file'
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}
