import { sql } from 'drizzle-orm'
import type { CoinDetails } from '../../market/coin-details.ts'
import { type Instant, toIso } from '../../market/instant.ts'
import { upsertCoin } from '../coins.ts'
import type { Database } from '../transaction.ts'

export async function listMissingDetails(
  db: Database,
  coinIds: readonly string[],
  before: Instant,
  most: number,
): Promise<string[]> {
  if (coinIds.length === 0) return []
  const { rows } = await db.execute<{ id: string }>(sql`
    select id from coins
    where id in ${coinIds} and (
      updated_at < ${toIso(before)}::timestamp
      or (description is null and website is null and whitepaper is null and blockchain_type is null)
    )
    order by updated_at, id
    limit ${most}`)
  return rows.map(({ id }) => id)
}

/**
 * Writes a coin's details; missing ones become null and `updated_at` always moves. The image stays, since prices write
 * it in a different spelling.
 */
export async function updateCoinDetails(
  db: Database,
  coinId: string,
  { symbol, name, imageUrl, description, website, whitepaper, blockchainType }: CoinDetails,
  now: Instant,
): Promise<void> {
  await upsertCoin(db, coinId, { symbol, name }, now)
  await db.execute(sql`
    update coins set
      image_url = coalesce(image_url, ${imageUrl ?? null}), description = ${description ?? null},
      website = ${website ?? null}, whitepaper = ${whitepaper ?? null}, blockchain_type = ${blockchainType ?? null},
      updated_at = ${toIso(now)}::timestamp
    where id = ${coinId}`)
}

/** Moves a coin without details at its source to the end of the queue. */
export async function markChecked(db: Database, coinId: string, now: Instant): Promise<void> {
  await db.execute(sql`update coins set updated_at = ${toIso(now)}::timestamp where id = ${coinId}`)
}
