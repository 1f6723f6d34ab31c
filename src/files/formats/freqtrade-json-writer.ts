import { type OpenWriter, textSink } from './row-writer.ts'

/** `[ms, open, high, low, close, volume]` with stored digits. */
export const openFreqtradeJson: OpenWriter = async (sink) => {
  const write = textSink(sink)
  let before = '['
  const line = ([time, ...values]: readonly (string | null)[]): string => {
    const text = `${before}[${[Math.floor(Number(time) / 1_000), ...values].join(',')}]`
    before = ',\n'
    return text
  }
  return {
    write: (rows) => write(rows.map(line).join('')),
    end: () => write(before === '[' ? '[]\n' : ']\n'),
  }
}
