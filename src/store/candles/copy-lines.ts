import { StringDecoder } from 'node:string_decoder'

/** The complete lines in each chunk of COPY's text format. */
export async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  const decoder = new StringDecoder('utf8')
  let begun = ''
  for await (const chunk of chunks) {
    const lines = (begun + decoder.write(chunk)).split('\n')
    begun = lines.pop() ?? ''
    yield lines
  }
  if (begun + decoder.end() !== '') throw new Error('the rows ended in the middle of one')
}

/** The fields of a line of COPY's text format. */
export function fieldsOf(line: string): readonly (string | null)[] {
  const fields = line.split('\t')
  return line.includes('\\') ? fields.map((field) => (field === '\\N' ? null : unescaped(field))) : fields
}

const escapes: Readonly<Record<string, string>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}

const unescaped = (field: string): string =>
  field.replace(/\\(.)/gs, (_, character: string) => escapes[character] ?? character)
