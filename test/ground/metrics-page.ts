import { readText } from './project.ts'

/** A metric as docs/monitoring/metrics.md describes it. */
export type DocumentedMetric = Readonly<{
  name: string
  type: string
  labels: readonly string[]
  /** What stands in code within its meaning: the values of its labels, among others. */
  words: readonly string[]
}>

const spans = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, span = '']) => span)

/** Every row of the page's tables. */
export const documentedMetrics: readonly DocumentedMetric[] = [
  ...readText('docs/monitoring/metrics.md').matchAll(/^\| `(\w+)` \| (\w+) \| (.+?) \| (.+) \|$/gm),
].map(([, name = '', type = '', labels = '', meaning = '']) => ({
  name,
  type,
  labels: spans(labels),
  words: spans(meaning),
}))
