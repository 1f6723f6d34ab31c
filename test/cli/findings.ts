import { expect } from 'vitest'
import type { EndedLine } from './line-runner.ts'

type Finding = Readonly<{ severity: string; sentence: string; remedy: string }>

/** What one check has found, from the JSON of `beacon doctor`. */
export function findings({ stdout }: EndedLine, name: string): readonly Finding[] {
  const { checks }: { checks: { name: string; findings: Finding[] }[] } = JSON.parse(stdout)
  const check = checks.find((one) => one.name === name)
  if (!check) throw new Error(`no check ${name} in ${stdout}`)
  return check.findings
}

/** An error with such words. */
export const found = (sentence: RegExp, remedy: RegExp) => ({
  severity: 'error',
  sentence: expect.stringMatching(sentence),
  remedy: expect.stringMatching(remedy),
})
