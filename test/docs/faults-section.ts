import { type FaultRow, readMatrix } from '../faults/matrix.ts'
import { tableOf } from './page.ts'

const titles: Readonly<Record<string, string>> = {
  exchange: 'Exchanges',
  postgresql: 'PostgreSQL',
  queue: 'Queue and processes',
  time: 'Time',
  maintenance: 'Maintenance',
  access: 'Access',
  operators: 'Operators',
  mixtures: 'Together',
}

const begin = '<!-- faults -->'
const end = '<!-- end of faults -->'

/** docs/reliability.md with the tables of test/faults/matrix.yaml between its two marks. */
export function reliabilityPage(page: string): string {
  const [before, rest] = page.split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) throw new Error(`docs/reliability.md lacks ${begin}`)
  const sections = Object.entries(readMatrix()).map(
    ([kind, rows]) =>
      `### ${titles[kind] ?? kind}\n\n${tableOf(['fault', 'injected by', 'what holds', 'tests'], rows.map(cellsOf))}`,
  )
  return [before, begin, '\n\n', sections.join('\n\n'), '\n\n', end, after].join('')
}

const cellsOf = ({ fault, injection, promise, tests }: FaultRow): string[] => [
  fault,
  injection,
  promise,
  Object.keys(tests)
    .map((file) => `\`${file}\``)
    .join(', '),
]
