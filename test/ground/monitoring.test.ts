import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { jobs } from '../../jobs/catalog.ts'
import { timeframes } from '../../src/market/timeframe.ts'
import { documentedMetrics } from './metrics-page.ts'
import { readText } from './project.ts'

/** What a metric's lines bear: a histogram has three names, and its buckets a label more. */
const known = new Map(
  documentedMetrics.flatMap(({ name, type, labels, words }): [string, Known][] =>
    type === 'histogram'
      ? [
          [`${name}_bucket`, { labels: [...labels, 'le'], words }],
          [`${name}_sum`, { labels, words }],
          [`${name}_count`, { labels, words }],
        ]
      : [[name, { labels, words }]],
  ),
)
// Prometheus makes this one itself.
known.set('up', { labels: [], words: [] })

type Known = Readonly<{ labels: readonly string[]; words: readonly string[] }>

/** Those that Prometheus gives every line of a target. */
const ofTarget = ['job', 'instance']

/** The values of labels that their metric's row need not spell out. */
const otherValues = [...jobs.map(({ name }) => name), ...timeframes, 'beacon', '$source']

type Selector = Readonly<{
  metric: string
  matchers: readonly (readonly [label: string, values: string[]])[]
}>

/** The metrics of a query, each with what it is narrowed down by. */
const selectorsOf = (query: string): Selector[] =>
  [...query.matchAll(/\b(up|(?:beacon|process|nodejs)_\w+)(?:\{([^}]*)\})?/g)].map(
    ([, metric = '', matchers = '']) => ({
      metric,
      matchers: [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"/g)].map(
        ([, label = '', values = '']) => [label, values.split('|')] as const,
      ),
    }),
  )

/** The labels that a query groups or matches by. */
const groupedBy = (query: string): string[] =>
  [...query.matchAll(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g)].flatMap(
    ([, labels = '']) => labels.split(',').flatMap((label) => (label.trim() === '' ? [] : [label.trim()])),
  )

/** The labels that are left on a query's answer; undefined where that is hard to say. */
function labelsOfAnswer(query: string): string[] {
  const groups = groupedBy(query)
  const all = selectorsOf(query).flatMap(({ metric }) => known.get(metric)?.labels ?? [])
  return [...(groups.length > 0 && !query.includes('without') ? groups : all), ...ofTarget]
}

/** What is wrong with a query, and with the labels that its words make use of. */
function mistakesIn(query: string, words = ''): string[] {
  const selectors = selectorsOf(query)
  if (selectors.length === 0) return ['it asks for nothing']
  const balanced = [...query].reduce(
    (depth, sign) => depth + ('({['.includes(sign) ? 1 : ')}]'.includes(sign) ? -1 : 0),
    0,
  )
  const used = [...words.matchAll(/\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}/g)].map(([, label = '']) => label)
  const all = selectors.flatMap(({ metric }) => known.get(metric)?.labels ?? [])
  return [
    ...(balanced === 0 ? [] : ['its brackets do not match']),
    ...selectors.flatMap(({ metric, matchers }) => {
      const found = known.get(metric)
      if (!found) return [`there is no ${metric}`]
      return matchers.flatMap(([label, values]) => {
        if (![...found.labels, ...ofTarget].includes(label)) return [`${metric} has no label ${label}`]
        const unknown = values.filter((value) => ![...found.words, ...otherValues].includes(value))
        return unknown.map((value) => `${label} of ${metric} is never ${value}`)
      })
    }),
    ...groupedBy(query)
      .filter((label) => ![...all, ...ofTarget].includes(label))
      .map((label) => `it groups by ${label}, which nothing in it has`),
    ...used
      .filter((label) => !labelsOfAnswer(query).includes(label))
      .map((label) => `its words speak of ${label}, which its answer does not have`),
  ]
}

describe('a query is found out', () => {
  test.each([
    ['beacon_nothing > 0', '', 'there is no beacon_nothing'],
    ['beacon_series{coin="x"}', '', 'beacon_series has no label coin'],
    ['beacon_series{state="rotten"}', '', 'state of beacon_series is never rotten'],
    ['sum by (coin) (beacon_series)', '', 'it groups by coin, which nothing in it has'],
    [
      'sum by (state) (beacon_series)',
      '{{ $labels.source }}',
      'its words speak of source, which its answer does not have',
    ],
    ['sum by (state) (beacon_series', '', 'its brackets do not match'],
    ['vector(1)', '', 'it asks for nothing'],
  ])('%s', (query, words, mistake) => {
    expect(mistakesIn(query, words)).toEqual([mistake])
  })
})

const rule = z.strictObject({
  alert: z.string().regex(/^Beacon[A-Z]\w+$/),
  expr: z.string(),
  for: z.string().regex(/^\d+[smhd]$/),
  labels: z.strictObject({ severity: z.enum(['critical', 'warning', 'info']) }),
  annotations: z.strictObject({
    summary: z.string().regex(/^\S.*\.$/s),
    remedy: z.string().regex(/^\S.*[.]$/s),
  }),
})
const rulesFile = z.strictObject({
  groups: z.array(z.strictObject({ name: z.string(), rules: z.array(rule).min(1) })).min(1),
})

describe('the alert rules', () => {
  const rules = rulesFile
    .parse(parse(readText('docs/monitoring/alerts.yaml')))
    .groups.flatMap((group) => group.rules)

  test('have names of their own', () => {
    const names = rules.map(({ alert }) => alert)
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
    expect(names.length).toBeGreaterThan(20)
  })

  test.each(rules.map((one) => [one.alert, one] as const))('%s asks for what there is', (_name, one) => {
    const { summary, remedy } = one.annotations
    expect(mistakesIn(one.expr, `${summary} ${remedy}`)).toEqual([])
  })
})

const target = z.object({ expr: z.string(), legendFormat: z.string(), refId: z.string() })
const panel = z.object({
  id: z.number(),
  type: z.enum(['row', 'stat', 'table', 'timeseries']),
  title: z.string().min(1),
  description: z.string().min(1).optional(),
  gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
  targets: z.array(target).min(1).optional(),
})

describe('the dashboard', () => {
  const { panels } = z
    .object({ panels: z.array(panel) })
    .parse(JSON.parse(readText('docs/monitoring/grafana-dashboard.json')))
  const drawn = panels.filter(({ type }) => type !== 'row')

  test('says of each panel what it shows, and draws none over another', () => {
    expect(drawn.filter(({ description, targets }) => !description || !targets)).toEqual([])
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, index) => `${x + (index % w)} ${y + Math.floor(index / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
  })

  test.each(
    drawn.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr, legendFormat }) => [title, expr, legendFormat] as const),
    ),
  )('%s asks for what there is: %s', (_title, expr, legend) => {
    expect(mistakesIn(expr, legend)).toEqual([])
  })

  test('shows everything that Beacon tells of itself', () => {
    const shown = new Set(
      drawn
        .flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => selectorsOf(expr)))
        .map(({ metric }) => metric.replace(/_(?:bucket|sum|count)$/, '')),
    )
    const hidden = documentedMetrics
      .map(({ name }) => name)
      .filter((name) => name.startsWith('beacon_') && !shown.has(name))
    expect(hidden).toEqual([])
  })
})
