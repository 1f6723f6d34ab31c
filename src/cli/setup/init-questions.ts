import { createInterface } from 'node:readline/promises'

/** `fallback`: for an empty answer. */
type Question = Readonly<{ text: string; fallback: string }>

export type Ask = (question: Question) => Promise<string>

/** Whether questions can be answered. */
export const canAsk = (): boolean => process.stdin.isTTY === true && process.stderr.isTTY === true

/** Sequential. */
export async function withQuestions<T>(signal: AbortSignal, work: (ask: Ask) => Promise<T>): Promise<T> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await work(async ({ text, fallback }) => {
      const answer = await terminal.question(`${text} [${fallback}]: `, { signal })
      return answer.trim() === '' ? fallback : answer.trim()
    })
  } finally {
    terminal.close()
  }
}
