import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { sourceIds } from '../../src/settings/source-ids.ts'
import { filesBelow, readText } from './project.ts'

const page = readText('docs/environment.md')
const documented = [...page.matchAll(/^\| `([A-Z][A-Z0-9_]+)` \|/gm)].map(([, name]) => name)

const inCode = [
  ...readText('src/settings/environment.ts').matchAll(/^ {2}([A-Z][A-Z0-9_]+): (?:z\.|url\(|readableBy\()/gm),
  ...filesBelow(['src', 'jobs'], '.ts').flatMap((file) => [
    ...readText(file).matchAll(/\bprocess\.env\.((?!PATH\b)[A-Z][A-Z0-9_]+)/g),
  ]),
].map(([, name]) => name)

const baseUrls = sourceIds.map((id) => `${id.toUpperCase().replaceAll('-', '_')}_BASE_URL`)

/** What packages that we use read by themselves. */
const ofPackages = [
  ...['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY'],
  ...['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_REGION'],
]

test('the page on the environment names every variable that the code reads, and no other', () => {
  const read = new Set([...inCode, ...baseUrls, ...ofPackages])
  expect([...new Set(documented)].sort()).toEqual([...read].sort())
})

test('the composition sets only variables that the page names', () => {
  const { services } = parse(readText('docker-compose.yml'), { merge: true })
  const set = [services.beacon, services.development].flatMap(({ environment }) => Object.keys(environment))
  expect(set.length).toBeGreaterThan(0)
  expect(set.filter((name) => !documented.includes(name))).toEqual([])
})
