import { quoted } from '../completion/follow-words.ts'

/** A name as it is typed into a shell: in quotes where the shell would take anything in it for its own. */
export const shellWord = (name: string): string =>
  /^[\p{L}\p{M}\p{N}_.:/@+-]+$/u.test(name) ? name : quoted(name)
