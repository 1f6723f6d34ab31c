import { createInterface } from 'node:readline/promises'

/** What is asked for where no option has it. `fallback` is what an empty answer means. */
type Question = Readonly<{ text: string; fallback: string }>

export type Ask = (question: Question) => Promise<string>

/** Whether standard input is a terminal, so that questions have an answer. */
export const canAsk = (): boolean => process.stdin.isTTY === true && process.stderr.isTTY === true

/** Asks on the terminal, one question after the other. */
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
