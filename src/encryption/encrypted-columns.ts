/** A column that holds what only the key ring can read. */
export type EncryptedColumn = Readonly<{
  table: string
  column: string
  /** How many characters it takes. */
  length: number
  /**
   * `each-its-own`: another text each time, which can be read in its own row only. `findable`: the same text for the
   * same address, so that it is unique and can be looked up; it cannot depend on the row that is looked for.
   */
  form: 'each-its-own' | 'findable'
}>

/** Every encrypted column of the database. The audit log shows none of them. */
export const encryptedColumns = {
  email: { table: 'users', column: 'email', length: 255, form: 'findable' },
  displayName: { table: 'profiles', column: 'display_name', length: 255, form: 'each-its-own' },
  avatarUrl: { table: 'profiles', column: 'avatar_url', length: 255, form: 'each-its-own' },
  apiKey: { table: 'api_connections', column: 'api_key', length: 255, form: 'each-its-own' },
  apiSecret: { table: 'api_connections', column: 'api_secret', length: 255, form: 'each-its-own' },
  passphrase: { table: 'api_connections', column: 'passphrase', length: 255, form: 'each-its-own' },
} as const satisfies Record<string, EncryptedColumn>
