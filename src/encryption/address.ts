/** Trimmed, NFC, lower case: spellings of one address become equal. Idempotent. */
export const normaliseAddress = (text: string): string =>
  text.trim().normalize('NFC').toLowerCase().normalize('NFC')
