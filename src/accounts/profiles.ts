import { eq, sql } from 'drizzle-orm'
import { z } from 'zod'
import { type Profile as ProfileRow, profiles } from '../../drizzle/schema/users.ts'
import { encryptedColumns } from '../encryption/encrypted-columns.ts'
import { toIso } from '../market/instant.ts'
import { withUser } from '../store/acting.ts'
import { anyText, checkInput, jsonText } from './input.ts'
import { decryptIfAny, encryptIfAny } from './optional-value.ts'
import type { Deps } from './reach.ts'
import { noUser } from './users.ts'

const profileFields = z.object({
  displayName: anyText.nullable(),
  avatarUrl: anyText.nullable(),
  preferences: jsonText,
})

/** Null fields are not set; `preferences` is any JSON. */
export type ProfileFields = Readonly<{
  displayName: string | null
  avatarUrl: string | null
  preferences: unknown
}>

export type Profile = ProfileFields & Readonly<Pick<ProfileRow, 'createdAt' | 'updatedAt'>>

/** Replaces the whole profile. Throws InvalidInput if it does not fit or the user does not exist. */
export async function writeProfile(
  { pool, ring, clock }: Deps,
  userId: string,
  profile: ProfileFields,
): Promise<void> {
  const { displayName, avatarUrl, preferences } = checkInput(profileFields, profile)
  const encryptedName = encryptIfAny(ring, encryptedColumns.displayName, userId, displayName)
  const encryptedAvatar = encryptIfAny(ring, encryptedColumns.avatarUrl, userId, avatarUrl)
  const now = toIso(clock.now())
  await withUser(pool, userId, async ({ db }) => {
    const { rowCount } = await db.execute(sql`
      insert into profiles (id, display_name, avatar_url, created_at, updated_at, preferences)
      select id, ${encryptedName}, ${encryptedAvatar}, ${now}::timestamp, ${now}::timestamp, ${preferences}::jsonb
      from users where id = ${userId}::uuid
      on conflict (id) do update set
        (display_name, avatar_url, updated_at, preferences) =
        (excluded.display_name, excluded.avatar_url, excluded.updated_at, excluded.preferences)`)
    if (rowCount === 0) throw noUser(userId)
  })
}

/** Undefined if not written yet. */
export async function readProfile(
  { pool, ring }: Pick<Deps, 'pool' | 'ring'>,
  userId: string,
): Promise<Profile | undefined> {
  return withUser(pool, userId, async ({ db }) => {
    const [row] = await db.select().from(profiles).where(eq(profiles.id, userId))
    if (!row) return undefined
    const { id, displayName, avatarUrl, ...rest } = row
    return {
      ...rest,
      displayName: decryptIfAny(ring, encryptedColumns.displayName, id, displayName),
      avatarUrl: decryptIfAny(ring, encryptedColumns.avatarUrl, id, avatarUrl),
    }
  })
}
