import type { ArchiveColumn } from '../../store/lifecycle/archives/archive-content.ts'

/** Await each write for back pressure. */
export type ByteSink = Readonly<{ write(bytes: Uint8Array): Promise<void> }>

/** Rows are PostgreSQL texts; timestamps in microseconds. */
export type RowWriter = Readonly<{
  write(rows: readonly (readonly (string | null)[])[]): Promise<void>
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

/** Fractional seconds only if needed. */
export function microsText(text: string): string {
  const micros = text.slice(-6).padStart(6, '0')
  const seconds = new Date(Math.floor(Number(text) / 1_000)).toISOString().slice(0, 19)
  return micros === '000000' ? `${seconds}Z` : `${seconds}.${micros.replace(/0+$/, '')}Z`
}
