/** `ok`: nothing to do. `catching-up`: it is mending itself. `attention`: somebody should look. */
export type OverallState = 'ok' | 'catching-up' | 'attention'

/** Something that is not as it should be, or a note that needs nobody. The key says of which kind, whatever the numbers in the sentence are. */
export type Finding = Readonly<{ key: string; state: Exclude<OverallState, 'ok'> | 'note'; sentence: string }>

export const attention = (key: string, sentence: string): Finding => ({ key, state: 'attention', sentence })
export const note = (key: string, sentence: string): Finding => ({ key, state: 'note', sentence })
export const catchingUp = (key: string, sentence: string): Finding => ({
  key,
  state: 'catching-up',
  sentence,
})
