import type { Pool } from 'pg'
import { generatedNote, tableOf } from './page.ts'
import { type Column, connectedTables, readTables, type Table } from './read-tables.ts'

const introduction = `# Data model

Every table of the schema \`public\`, as the migrations make it. Partitions have the columns of their parent and are left out.
Every \`timestamp\` is without time zone and in UTC. Who may read and write what is in [database.md](database.md), how a
partition is made and dropped in [lifecycle.md](lifecycle.md).

In the diagrams \`PK\` marks the columns of the primary key and \`FK\` those that refer to another table; a line ends in a fork
at the table with many rows.`

/** docs/data-model.md: diagrams, columns, keys and comments, read from a migrated database. */
export async function dataModelPage(pool: Pool): Promise<string> {
  const tables = await readTables(pool)
  const { groups, single } = connectedTables(tables)
  return [
    generatedNote,
    introduction,
    ...groups.map((group) => diagramOf(group)),
    `Without references to other tables: ${single.map(({ name }) => linkTo(name)).join(', ')}.`,
    ...tables.map(sectionOf),
    '',
  ].join('\n\n')
}

const linkTo = (name: string): string => `[\`${name}\`](#${name})`

function diagramOf(tables: readonly Table[]): string {
  const entities = tables.map(
    ({ name, columns }) =>
      `  ${name} {\n${columns.map((column) => `    ${attributeOf(column)}`).join('\n')}\n  }`,
  )
  const relations = tables.flatMap(({ name, references }) =>
    references.map(
      ({ to, columns, optional, unique }) =>
        `  ${to} ${optional ? '|o' : '||'}--${unique ? 'o|' : 'o{'} ${name} : "${columns}"`,
    ),
  )
  return `\`\`\`mermaid\nerDiagram\n${[...relations, ...entities].join('\n')}\n\`\`\``
}

/** A type of Mermaid is one word. */
function attributeOf({ name, type, inKey, refers }: Column): string {
  const word = type.replace(/\(.*\)/, '').replaceAll(' ', '_')
  const marks = [...(inKey ? ['PK'] : []), ...(refers ? ['FK'] : [])].join(', ')
  return `${word} ${name}${marks === '' ? '' : ` ${marks}`}`
}

function sectionOf({ name, comment, partitionKey, columns, keys }: Table): string {
  const rows = columns.map(({ name, type, isNullable, defaultText, comment }) => [
    `\`${name}\``,
    `\`${type}\``,
    isNullable ? 'yes' : '',
    defaultText === null ? '' : `\`${defaultText}\``,
    comment ?? '',
  ])
  return [
    `## ${name}`,
    [comment ?? '', ...(partitionKey === null ? [] : [`Partitioned by \`${partitionKey}\`.`])]
      .join(' ')
      .trim(),
    tableOf(['column', 'type', 'null', 'default', 'meaning'], rows),
    keys.map((key) => `- \`${key}\``).join('\n'),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}
