/** One line of Prometheus's text format. */
type ExposedSample = Readonly<{
  name: string
  labels: Readonly<Record<string, string>>
  value: number
}>

/** What an answer of /metrics says. */
export type Exposition = Readonly<{
  /** Type by metric. */
  types: ReadonlyMap<string, string>
  samples: readonly ExposedSample[]
}>

/** Reads the text format. Throws for a line that is none. */
export function readExposition(text: string): Exposition {
  const types = new Map<string, string>()
  const samples: ExposedSample[] = []
  for (const line of text.split('\n')) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line)
    if (type?.[1] !== undefined && type[2] !== undefined) types.set(type[1], type[2])
    if (line === '' || line.startsWith('#')) continue
    const [, name, labels = '', value] = /^([a-z_:]\w*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    if (name === undefined) throw new Error(`no line of metrics: ${line}`)
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
    samples.push({
      name,
      labels: Object.fromEntries(pairs.map(([, label = '', content = '']) => [label, content])),
      value: Number(value),
    })
  }
  return { types, samples }
}

/** The value of a metric with exactly these labels; undefined where there is none. */
export const valueIn = (
  { samples }: Exposition,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined =>
  samples.find(
    (one) =>
      one.name === name &&
      Object.keys(one.labels).length === Object.keys(labels).length &&
      Object.entries(labels).every(([label, value]) => one.labels[label] === value),
  )?.value
