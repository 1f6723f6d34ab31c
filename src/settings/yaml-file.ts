import { readFileSync } from 'node:fs'
import { isMap, isPair, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import { InvalidInput } from '../fault.ts'

type Path = readonly PropertyKey[]

/** One parsed YAML file that can say on which line a path of its content stands. */
export type YamlFile = Readonly<{
  name: string
  content: unknown
  /** Line of the deepest part of the path that the file holds, from 1; undefined when it holds none of it. */
  lineOf(path: Path): number | undefined
}>

/** Reads a YAML file. Throws InvalidInput with file and line when it cannot be read or is not YAML. */
export function readYamlFile(file: string): YamlFile {
  const lines = new LineCounter()
  const document = parseDocument(readText(file), { lineCounter: lines })
  const [problem] = document.errors
  if (problem) {
    const line = lines.linePos(problem.pos[0]).line
    throw new InvalidInput(`${file}:${line}: not valid YAML, ${problem.message.split('\n')[0]}`)
  }
  return {
    name: file,
    content: document.toJS() ?? {},
    lineOf: (path) => {
      const offset = offsetOf(document.contents, path)
      return offset === undefined ? undefined : lines.linePos(offset).line
    },
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new InvalidInput(`cannot read the configuration file ${file}: does it exist and may we read it?`, {
      cause,
    })
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
