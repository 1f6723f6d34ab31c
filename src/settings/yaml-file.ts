import { readFileSync } from 'node:fs'
import { isMap, isPair, isSeq, LineCounter, type Node, parseDocument } from 'yaml'

type Path = readonly PropertyKey[]

export type YamlFile = Readonly<{
  name: string
  content: unknown
  /** From 1; undefined if the path is absent. */
  lineOf(path: Path): number | undefined
}>

type ReadYaml = Readonly<{ file: YamlFile | undefined; mistakes: readonly string[] }>

/** Mistakes have file and line. */
export function readYamlFile(name: string): ReadYaml {
  const text = readText(name)
  if (text === undefined)
    return {
      file: undefined,
      mistakes: [`cannot read the configuration file ${name}: does it exist and may we read it?`],
    }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines })
  // Later errors usually follow from the first.
  const [problem] = document.errors
  if (problem) {
    const what = problem.message.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '')
    const { line } = lines.linePos(problem.pos[0])
    return { file: undefined, mistakes: [`${name}:${line}: not valid YAML, ${what}`] }
  }
  const content = contentOf(document)
  if (content === undefined)
    return { file: undefined, mistakes: [`${name}:1: its aliases expand to more than can be read`] }
  const file: YamlFile = {
    name,
    content,
    lineOf: (path) => {
      const offset = offsetOf(document.contents, path)
      return offset === undefined ? undefined : lines.linePos(offset).line
    },
  }
  return { file, mistakes: [] }
}

/** Undefined for too many aliases. */
function contentOf(document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS() ?? {}
  } catch (error) {
    if (error instanceof ReferenceError) return undefined
    throw error
  }
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

function offsetOf(root: Node | null, path: Path): number | undefined {
  let node: unknown = root
  let offset: number | undefined
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && String(item.key) === String(key))
      if (!pair) return offset
      offset = (pair.key as { range?: [number] }).range?.[0] ?? offset
      node = pair.value
    } else if (isSeq(node)) {
      node = node.items[Number(key)]
      offset = (node as { range?: [number] } | undefined)?.range?.[0] ?? offset
    } else return offset
  }
  return offset
}
