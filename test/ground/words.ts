/** Words that the glossary replaced, and what is written instead. */
const replaced: readonly (readonly [RegExp, string])[] = [
  [/\bow(?:e|es|ed|ing)\b/i, 'missing'],
  [/\b(?:un)?settle[ds]?\b/i, 'resolved; unresolved; known'],
  [/\bbeliev(?:e|es|ed)\b/i, 'accepted; rejected; trusted'],
  [/\bledgers?\b/i, 'coverage'],
  [/\bleaf\b(?! partition)|\bleaves\b(?= of a)/i, 'partition'],
  [/\btell(?:s|ing)?\b|\btold\b/i, 'report; show'],
  [/\bwhoever\b|\bnobody\b/i, 'name the subject'],
  [/\bso many\b|\bso manieth\b/i, 'a number'],
  [/\bpatience\b/i, 'timeout'],
  [/\bupkeep\b/i, 'maintenance'],
  [/\bmend(?:s|ed|ing)?\b/i, 'repair'],
  [/\b(?:a|the|its|every) (?:lie|lies|face|faces)\b|\blied\b|\blies about\b/i, 'fault; endpoint'],
  [/\bverdicts?\b/i, 'decision'],
  [/\bway (?:in|out)\b/i, 'ingestion; export'],
  [/\blets? go\b|\blet(?:s)? (?:it|them) go\b/i, 'deleted'],
  [/\bkept aside\b/i, 'quarantined'],
  [/\bfollow(?:s|ed)? (?:no more|a coin|coins)\b|\bfollowed (?:coins?|markets?|ones)\b/i, 'track'],
  [/\bnot whole\b/i, 'incomplete'],
  [/\bmakes? do without\b|\bgoes with it\b|\bof before\b/i, 'say what happens'],
  [/\blooks? (?:at|into|for)\b(?= everything)|\ba look\b/i, 'check'],
  [/\basks? for\b|\basked (?:for|again|once)\b/i, 'request'],
]

/** The replaced words in a text, each with its line and what to write. */
export const replacedWordsIn = (text: string): string[] =>
  text.split('\n').flatMap((line, index) =>
    replaced.flatMap(([word, instead]) => {
      const [found] = word.exec(line) ?? []
      return found === undefined ? [] : [`${index + 1}: "${found}", write: ${instead}`]
    }),
  )
