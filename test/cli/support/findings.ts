import { expect } from 'vitest'
import type { EndedLine } from './line-runner.ts'

type Finding = Readonly<{ severity: string; message: string; remedy: string }>

/** What one check has found, from the JSON of `beacon doctor`. */
export function findings({ stdout }: EndedLine, name: string): readonly Finding[] {
  const { checks }: { checks: { name: string; findings: Finding[] }[] } = JSON.parse(stdout)
  const check = checks.find((one) => one.name === name)
  if (!check) throw new Error(`no check ${name} in ${stdout}`)
  return check.findings
}

/** An error with such words. */
export const found = (message: RegExp, remedy: RegExp) => ({
  severity: 'error',
  message: expect.stringMatching(message),
  remedy: expect.stringMatching(remedy),
})
