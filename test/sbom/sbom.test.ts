import { describe, expect, test } from 'vitest'
import { billOfMaterials, installedPackages } from './sbom.ts'

const installed = installedPackages()

/** Licences that ask for no more than to be named. */
const permissive = [
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
  'PostgreSQL',
]

describe('every package that is installed with Beacon', () => {
  test('has a permissive licence', () => {
    expect(installed.length).toBeGreaterThan(50)
    const others = installed.filter(({ license = 'none' }) => !permissive.includes(license))
    expect(others.map(({ name, license }) => `${name}: ${license}`)).toEqual([])
  })

  test('is pinned by a hash, and comes from the registry', () => {
    // A package that is packed into another one has the hash of that one.
    const unpinned = installed.filter(({ resolved, integrity }) => resolved !== undefined && !integrity)
    expect(unpinned.map(({ name }) => name)).toEqual([])
    for (const { resolved = 'https://registry.npmjs.org/' } of installed)
      expect(resolved).toMatch(/^https:\/\/registry\.npmjs\.org\//)
  })

  test('is in the bill of materials with its version, licence and hash', () => {
    const { components } = billOfMaterials()
    expect(components).toHaveLength(installed.length)
    const pg = components.find(({ name }) => name === 'pg')
    expect(pg).toMatchObject({
      purl: expect.stringMatching(/^pkg:npm\/pg@\d+\.\d+\.\d+$/),
      licenses: [{ expression: 'MIT' }],
      hashes: [{ alg: 'SHA-512', content: expect.stringMatching(/^[0-9a-f]{128}$/) }],
    })
  })
})
