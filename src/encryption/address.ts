/**
 * An address as it is compared: without blanks around it, composed, in lower case. Two spellings that a person takes
 * for the same address are the same text. Done twice, it changes nothing.
 */
export const normaliseAddress = (text: string): string =>
  text.trim().normalize('NFC').toLowerCase().normalize('NFC')
