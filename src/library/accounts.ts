/** `beacon-ingest/accounts`: users and what is secret of them, under row-level security and encrypted. */
export {
  type ApiConnection,
  type ApiConnectionFields,
  type ApiConnectionSummary,
  addApiConnection,
  listApiConnections,
  readApiConnection,
  removeApiConnection,
  updateApiConnection,
} from '../accounts/api-connections.ts'
export { type Profile, type ProfileFields, readProfile, writeProfile } from '../accounts/profiles.ts'
export type { Deps as AccountDeps } from '../accounts/reach.ts'
export {
  type ColumnRotation,
  countToRotate,
  type LackedKey,
  type Rotation,
  type RotationProblem,
  rotateKeys,
} from '../accounts/rotation.ts'
export {
  AddressTaken,
  changeEmail,
  findLogin,
  type Login,
  type NewUser,
  readEmail,
  registerUser,
  type Standing,
  setStanding,
} from '../accounts/users.ts'
export { type EncryptedColumn, encryptedColumns } from '../encryption/encrypted-columns.ts'
export { capacityOf, decrypt, encrypt } from '../encryption/encrypted-value.ts'
export { type KeyRing, openKeyRing, type RingKey } from '../encryption/key-ring.ts'
export { MissingKey, Unreadable } from '../encryption/unreadable.ts'
export { systemClock } from '../runtime/clock.ts'
export { asMaintenance, withUser } from '../store/acting.ts'
export type { Transaction } from '../store/transaction.ts'
export { readKeyRing } from './read-key-ring.ts'
