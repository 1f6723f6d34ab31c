/** `'it'\''s'`: a shell takes everything in it literally. */
export const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** A name as it is typed into a shell: in quotes where the shell would not take it literally. */
const shellWord = (name: string): string => (/^[\p{L}\p{M}\p{N}_.:/@+,-]+$/u.test(name) ? name : quoted(name))

type Value = string | number | readonly string[]

/**
 * A command to paste into a shell, whose values are quoted where they need it: commandLine`beacon coins remove ${coinId}`.
 * The values of a list become words of their own.
 */
export const commandLine = (texts: TemplateStringsArray, ...values: readonly Value[]): string =>
  texts.reduce(
    (line, text, index) =>
      line + [values[index - 1] ?? ''].flat().map(String).map(shellWord).join(' ') + text,
  )
