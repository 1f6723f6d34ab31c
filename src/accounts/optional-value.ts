import type { EncryptedColumn } from '../encryption/encrypted-columns.ts'
import { decrypt, encrypt } from '../encryption/encrypted-value.ts'
import type { KeyRing } from '../encryption/key-ring.ts'

export const encryptIfAny = (
  ring: KeyRing,
  column: EncryptedColumn,
  rowId: string,
  text: string | null,
): string | null => (text === null ? null : encrypt(ring, column, rowId, text))

export const decryptIfAny = (
  ring: KeyRing,
  column: EncryptedColumn,
  rowId: string,
  value: string | null,
): string | null => (value === null ? null : decrypt(ring, column, rowId, value))
