/** Storage of archive files; names have one folder: `ohlcv_data_1h/….parquet`. */
export type ArchiveStorage = Readonly<{
  place: string
  /** Path for a new file, under a name that marks it incomplete. Creates the folder. */
  draftOf(fileName: string): Promise<string>
  /** Moves the draft into place, durably. */
  publish(fileName: string): Promise<void>
  /** Provides a local path. Throws DamagedArchive if the file is missing. */
  withFile<T>(fileName: string, work: (path: string) => Promise<T>): Promise<T>
  has(fileName: string): Promise<boolean>
  list(): Promise<readonly string[]>
  /** Removes file and draft; missing ones are no error. */
  remove(fileName: string): Promise<void>
  close(): void
}>
