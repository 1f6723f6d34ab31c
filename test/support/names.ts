/** What a coin or a market may be called: each has something that some place on its way could take for its own. */
export const names: readonly string[] = [
  '币安人生USDT',
  '🚀MOON👩‍🚀',
  'Cafe\u0301-Ünïçødé',
  '\u200fשלום\u200f',
  'academy token',
  'tDUSK:USD',
  'a/b?c=d&e#f',
  '100%25+1%',
  `it's "so" \`called\``,
  'back\\slash\\n',
  '$HOME $(id);*|<>!~{}[]()^',
  '<b>&amp;</b><!--',
  'a_b_c',
  '-3',
]
