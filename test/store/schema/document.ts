/** What is said of a schema, one fact an entry: `users.email` is `character varying(255) not null`. */
export type Facts = Readonly<Record<string, string>>

type Fact = readonly [of: string, what: string]

/**
 * Every fact that the schema document states of the database, in the words of PostgreSQL's catalog. Throws where it
 * holds something that is not understood, rather than passing over it, and where it says two things of one.
 */
export function readDocument(text: string): Facts {
  const facts = [
    ...tableFacts(text),
    ...relationshipFacts(text),
    ...indexFacts(text),
    ...statementFacts(text),
  ]
  const read: Record<string, string> = {}
  for (const [of, what] of facts) {
    if (read[of] !== undefined && read[of] !== what)
      throw new Error(`the document says of ${of} both "${read[of]}" and "${what}"`)
    read[of] = what
  }
  return read
}

/** The tables that the document describes column by column. */
export const tablesOf = (facts: Facts): string[] => [
  ...new Set(Object.keys(facts).flatMap((of) => /^(\w+)\.\w+$/.exec(of)?.[1] ?? [])),
]

function tableFacts(text: string): Fact[] {
  const tables = [...text.matchAll(/^#### `(\w+)`\n\n((?:\|.*\n)+)/gm)]
  if (tables.length !== text.match(/^####/gm)?.length)
    throw new Error('a table of the document is not understood')
  return tables.flatMap(([, table = '', lines = '']) => {
    const columns = cellsOf(lines, ['Column', 'Type', 'Attributes', 'Description'])
    return [...keyFacts(table, columns), ...columns.flatMap((cells) => columnFacts(table, cells))]
  })
}

function columnFacts(
  table: string,
  [column = '', type = '', attributes = '', description = '']: string[],
): Fact[] {
  const given = attributesOf(attributes)
  const reference = /^Reference to (\w+\.\w+)$/.exec(description)?.[1]
  if (given.includes('FK') && reference === undefined)
    throw new Error(`${table}.${column} is a foreign key to nothing that is named`)
  return [
    [`${table}.${column}`, columnType(type, given.includes('NOT NULL'))],
    ...(reference === undefined ? [] : ([[`${table}.${column} references`, reference]] as const)),
  ]
}

/** Columns of a key in the order of the alphabet: rows of a table have no other. */
function keyFacts(table: string, columns: readonly string[][]): Fact[] {
  const having = (wanted: string) =>
    columns.flatMap(([column = '', , attributes = '']) =>
      attributesOf(attributes).includes(wanted) ? [column] : [],
    )
  return [
    [`${table} primary key`, having('PK').toSorted().join(', ')],
    ...having('UNIQUE').map((column) => [`${table} unique (${column})`, 'yes'] as const),
  ]
}

const knownAttributes = ['PK', 'FK', 'UNIQUE', 'NOT NULL']

function attributesOf(cell: string): string[] {
  const attributes = cell === '' ? [] : cell.split(', ')
  const unknown = attributes.find((attribute) => !knownAttributes.includes(attribute))
  if (unknown !== undefined) throw new Error(`the attribute ${unknown} is not understood`)
  return attributes
}

const typeNames: Readonly<Record<string, string>> = {
  BOOLEAN: 'boolean',
  DECIMAL: 'numeric',
  INTEGER: 'integer',
  JSONB: 'jsonb',
  TEXT: 'text',
  TIMESTAMP: 'timestamp without time zone',
  UUID: 'uuid',
  VARCHAR: 'character varying',
}

function columnType(type: string, required: boolean): string {
  const [, word = '', rest = ''] = /^([A-Z]+)((?:\(\d+(?:,\d+)?\))?(?:\[\])?)$/.exec(type) ?? []
  const name = typeNames[word]
  if (name === undefined) throw new Error(`the type ${type} is not understood`)
  return `${name}${rest}${required ? ' not null' : ''}`
}

/** `users` above, and below it `├── 1:1 profiles`. */
function relationshipFacts(text: string): Fact[] {
  const drawings = [...text.matchAll(/^(\w+)\n((?: +[├└]── .*\n)+)/gm)]
  const facts = drawings.flatMap(([, parent = '', branches = '']) =>
    [...branches.matchAll(/── (1:1|1:N) (\w+)\n/g)].flatMap(([, kind = '', child = '']): Fact[] => [
      [`${parent} to ${child}`, kind],
      // One to one: the child bears its parent's id.
      ...(kind === '1:1' ? ([[`${child}.id references`, `${parent}.id`]] as const) : []),
    ]),
  )
  const drawn = facts.filter(([of]) => of.includes(' to ')).length
  if (drawn === 0 || drawn !== text.match(/[├└]──/g)?.length)
    throw new Error('a relationship of the document is not understood')
  return facts
}

function indexFacts(text: string): Fact[] {
  const [, lines = ''] = /^### Indexing Strategy\n\n((?:\|.*\n)+)/m.exec(text) ?? []
  return cellsOf(lines, ['Table', 'Index Name', 'Columns', 'Type', 'Purpose']).map(
    ([table, name, columns, type = '']) => [`index ${name}`, `${table} ${type.toLowerCase()} (${columns})`],
  )
}

function cellsOf(lines: string, titles: readonly string[]): string[][] {
  const [head = [], , ...rows] = lines
    .trim()
    .split('\n')
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
  if (
    head.join() !== titles.join() ||
    rows.length === 0 ||
    rows.some(({ length }) => length !== titles.length)
  )
    throw new Error(`a table with the columns ${titles.join(', ')} is not understood`)
  return rows
}

function statementFacts(text: string): Fact[] {
  const blocks = [...text.matchAll(/^```sql\n(.*?)^```/gms)].map(([, block = '']) => block)
  const statements = blocks.join('').replaceAll(/--.*$/gm, '').split(';')
  return statements
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
    .flatMap(factsOf)
}

/** How each kind of statement in the document is read. */
const readings: readonly (readonly [RegExp, (...parts: string[]) => Fact[]])[] = [
  [
    /^CREATE TABLE (\w+) \((.*)\n\)(?: PARTITION BY ([A-Z]+ \(\w+\)))?$/s,
    (table = '', body = '', key) => [
      ...body
        .trim()
        .split(/,\n/)
        .flatMap((line) => definitionFacts(table, line.trim())),
      ...(key === undefined ? [] : ([[`${table} partitioned by`, key]] as const)),
    ],
  ],
  [
    /^CREATE TABLE (\w+) PARTITION OF (\w+)\s+(FOR VALUES .*)$/s,
    (table, parent, bounds) => [[`${table} partition of`, `${parent} ${bounds}`]],
  ],
  [
    /^ALTER TABLE (\w+) PARTITION BY ([A-Z]+ \(\w+\))$/,
    (table, key = '') => [[`${table} partitioned by`, key]],
  ],
  [/^CREATE POLICY (\w+) ON (\w+)\s+USING/, (name, table = '') => [[`policy ${name}`, table]]],
  [
    /^CREATE MATERIALIZED VIEW (\w+) AS\s+SELECT(.*?)^FROM/ms,
    // The name of an expression is the last word of its line.
    (view, list = '') =>
      [...list.matchAll(/(\w+),?$/gm)].map(([, column]) => [`${view} shows ${column}`, 'yes'] as const),
  ],
]

function factsOf(statement: string): Fact[] {
  for (const [form, read] of readings) {
    const parts = form.exec(statement)
    if (parts) return read(...parts.slice(1))
  }
  throw new Error(`a statement of the document is not understood: ${statement}`)
}

/** One line between the parentheses of CREATE TABLE. */
function definitionFacts(table: string, line: string): Fact[] {
  const key = /^PRIMARY KEY \(([\w, ]+)\)$/.exec(line)?.[1]
  if (key !== undefined) return [[`${table} primary key`, key]]
  const [, column = '', type = '', rest = ''] =
    /^(\w+) (\S+)((?: PRIMARY KEY| NOT NULL| DEFAULT \S+)*)$/.exec(line) ?? []
  const value = / DEFAULT (\S+)/.exec(rest)?.[1]
  const isKey = rest.includes('PRIMARY KEY')
  return [
    [`${table}.${column}`, columnType(type, isKey || rest.includes('NOT NULL'))],
    ...(isKey ? ([[`${table} primary key`, column]] as const) : []),
    ...(value === undefined ? [] : ([[`${table}.${column} default`, value.toLowerCase()]] as const)),
  ]
}
