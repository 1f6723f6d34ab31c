/** Follow "is" in messages. */
export const otherKinds = {
  'tokenized-stock': 'a tokenised share or fund',
  'leveraged-token': 'a leveraged token',
  'pre-market': 'a pre-market of something not issued yet',
  fiat: 'money of a state',
  commodity: 'a tokenised commodity',
  other: 'no coin by its own listing',
} as const
export type OtherKind = keyof typeof otherKinds
