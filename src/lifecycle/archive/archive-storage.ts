/** Where files of the archive lie. A file name has one folder in it: `ohlcv_data_1h/….parquet`. */
export type ArchiveStorage = Readonly<{
  /** As a URL without credentials. */
  place: string
  /** Where a new file is made, under a name that nobody takes for a whole one. The folder is there. */
  draftOf(fileName: string): Promise<string>
  /** Puts the finished draft where it belongs, so that it outlives a loss of power, and removes the draft. */
  publish(fileName: string): Promise<void>
  /** Does the work with the file on this machine. Throws DamagedArchive where it is not there. */
  withFile<T>(fileName: string, work: (path: string) => Promise<T>): Promise<T>
  /** Whether it is there, whole or not. */
  has(fileName: string): Promise<boolean>
  /** The names of all files that are there, drafts left out. */
  list(): Promise<readonly string[]>
  /** Removes the file and its draft; what is not there is removed already. */
  remove(fileName: string): Promise<void>
  close(): void
}>
