import { expect } from 'vitest'
import type { EndedLine } from './line-runner.ts'

type Told = Readonly<{ severity: string; sentence: string; remedy: string }>

/** What one check has found, as JSON tells it. */
export function findings({ stdout }: EndedLine, name: string): readonly Told[] {
  const { checks }: { checks: { name: string; findings: Told[] }[] } = JSON.parse(stdout)
  const check = checks.find((one) => one.name === name)
  if (!check) throw new Error(`no check ${name} in ${stdout}`)
  return check.findings
}

/** An error that says so. */
export const found = (sentence: RegExp, remedy: RegExp) => ({
  severity: 'error',
  sentence: expect.stringMatching(sentence),
  remedy: expect.stringMatching(remedy),
})
