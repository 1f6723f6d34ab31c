/** An encrypted column. */
export type EncryptedColumn = Readonly<{
  table: string
  column: string
  /** In characters. */
  length: number
  /**
   * `each-its-own`: random nonce, bound to the row. `findable`: deterministic, for unique lookups, so not bound to the
   * row.
   */
  form: 'each-its-own' | 'findable'
}>

export const encryptedColumns = {
  email: { table: 'users', column: 'email', length: 255, form: 'findable' },
  displayName: { table: 'profiles', column: 'display_name', length: 255, form: 'each-its-own' },
  avatarUrl: { table: 'profiles', column: 'avatar_url', length: 255, form: 'each-its-own' },
  apiKey: { table: 'api_connections', column: 'api_key', length: 255, form: 'each-its-own' },
  apiSecret: { table: 'api_connections', column: 'api_secret', length: 255, form: 'each-its-own' },
  passphrase: { table: 'api_connections', column: 'passphrase', length: 255, form: 'each-its-own' },
} as const satisfies Record<string, EncryptedColumn>
