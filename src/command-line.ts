/** `'it'\''s'`: literal in a shell. */
export const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** Quoted only if the shell needs it. */
const shellWord = (name: string): string => (/^[\p{L}\p{M}\p{N}_.:/@+,-]+$/u.test(name) ? name : quoted(name))

type Value = string | number | readonly string[]

/**
 * A command to paste: commandLine`beacon coins remove ${coinId}` quotes values as needed; lists become several words.
 */
export const commandLine = (texts: TemplateStringsArray, ...values: readonly Value[]): string =>
  texts.reduce(
    (line, text, index) =>
      line + [values[index - 1] ?? ''].flat().map(String).map(shellWord).join(' ') + text,
  )
