let isFailureReported = false

/** EPIPE is no error; others are reported once. */
function onOutputError(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') return
  process.exitCode ||= 1
  if (isFailureReported) return
  isFailureReported = true
  process.stderr.write(`error: the output cannot be written (${error.message})\n`)
}

for (const stream of [process.stdout, process.stderr]) stream.on('error', onOutputError)

/** Results go to stdout, all else to stderr. */
export const print = (text: string): void => void process.stdout.write(`${text}\n`)

export const say = (text: string): void => void process.stderr.write(`${text}\n`)

export const printJson = (value: unknown): void => print(JSON.stringify(value, undefined, 2))

/** Pipes and files count as 120 columns. */
export const terminalSize = (
  stream: Readonly<{ columns?: number; rows?: number }> = process.stdout,
): Readonly<{ width: number; height: number }> => ({
  width: stream.columns || 120,
  height: stream.rows || 24,
})

/** Respects NO_COLOR. */
export const hasColours = (): boolean => process.stdout.isTTY === true && process.stdout.hasColors()

export function answer(asJson: boolean | undefined, value: unknown, text: () => string): void {
  if (asJson) printJson(value)
  else print(text())
}

export const countText = (count: number): string => count.toLocaleString('en-US')

/** Powers of ten. */
export function bytesText(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB']
  let amount = bytes
  let unit = 0
  while (amount >= 1_000 && unit < units.length - 1) {
    amount /= 1_000
    unit += 1
  }
  return `${unit === 0 ? amount : amount.toFixed(1)} ${units[unit]}`
}

/** `3 s`, `12 min`, `5 h`, `2 days` */
export function spanText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000))
  if (seconds < 120) return `${seconds} s`
  if (seconds < 2 * 3_600) return `${Math.round(seconds / 60)} min`
  if (seconds < 2 * 86_400) return `${Math.round(seconds / 3_600)} h`
  return `${Math.round(seconds / 86_400)} days`
}

/** EPIPE on stdout. */
export class OutputClosed extends Error {}

/** With back pressure. */
export const standardOutput = {
  write: (bytes: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      process.stdout.write(bytes, (error) => {
        if (!error) resolve()
        else reject(isReaderGone(error) ? new OutputClosed() : error)
      })
    }),
}

const isReaderGone = (error: NodeJS.ErrnoException): boolean =>
  error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED'
