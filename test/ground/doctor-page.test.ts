import { expect, test } from 'vitest'
import { checks, foundations } from '../../src/cli/doctor/registry.ts'
import { readText } from './project.ts'

test('the page on doctor names every check, and no other', () => {
  const documented = [...readText('docs/doctor.md').matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name)
  const names = [...foundations, ...checks({ deep: true })].map(({ name }) => name)
  expect(documented.toSorted()).toEqual(names.toSorted())
})
