/** Every source this version can read, by the id that commands, configuration and tables use. */
export const sourceIds = ['binance', 'coingecko'] as const
export type SourceId = (typeof sourceIds)[number]
