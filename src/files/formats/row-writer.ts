import type { ArchiveColumn } from '../../store/lifecycle/archives/archive-content.ts'

/** Takes bytes at the pace of a file or a pipe: to be awaited before more is handed over. */
export type ByteSink = Readonly<{ write(bytes: Uint8Array): Promise<void> }>

/** Writes rows in one format. A row has a text for each column, as PostgreSQL writes it, timestamps in microseconds. */
export type RowWriter = Readonly<{
  write(rows: readonly (readonly (string | null)[])[]): Promise<void>
  /** Writes what a file of the format ends with. */
  end(): Promise<void>
}>

export type OpenWriter = (sink: ByteSink, columns: readonly ArchiveColumn[]) => Promise<RowWriter>

const encoder = new TextEncoder()
export const textSink =
  (sink: ByteSink): ((text: string) => Promise<void>) =>
  async (text) => {
    if (text !== '') await sink.write(encoder.encode(text))
  }

export const isTimestamp = ({ type }: ArchiveColumn): boolean => type.startsWith('timestamp')
export const isNumber = ({ type }: ArchiveColumn): boolean => /^(integer|bigint|smallint)/.test(type)

/** `2024-03-01T12:00:00Z`, with as many digits of a second as it needs. */
export function microsText(text: string): string {
  const micros = text.slice(-6).padStart(6, '0')
  const seconds = new Date(Math.floor(Number(text) / 1_000)).toISOString().slice(0, 19)
  return micros === '000000' ? `${seconds}Z` : `${seconds}.${micros.replace(/0+$/, '')}Z`
}
