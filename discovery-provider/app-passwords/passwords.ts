import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Postgres } from '@hexachord/platform/postgres'
import type { Identity } from '@hexachord/protocol/actions'
import type { Address, Hash } from '@hexachord/protocol/names'
import type { AppPassword, NewAppPassword } from '@hexachord/protocol/rest'
import { type HeldAccount, heldAt } from './account-of.ts'
import { createSealing } from './sealing.ts'

/** Passwords of one device each, with which a player that cannot sign reads and streams in the name of an account. They
 * open for as long as the account is in the hands of whoever made them: any rotation of its keys ends them all, so that
 * whoever stole a key leaves none behind. */
export type AppPasswords = {
  /** Makes one; the signed message that asks for it is known by its nonce. Durable when it returns. */
  mint(request: { held: HeldAccount; device: string; nonce: Hash; expiresAt: number }): Promise<Minted>
  /** Those that open, oldest first. */
  list(held: HeldAccount): Promise<AppPassword[]>
  /** Whether the account had such a password. */
  revoke(account: Address, id: string): Promise<boolean>
  /** Who logs in with a password alone. */
  findByPassword(password: string): Promise<Login | undefined>
  /** Who logs in under a name with `token` = md5(password ‖ salt), or with the password itself. */
  findByName(name: string, proof: PasswordProof): Promise<Login | undefined>
}

/** `token` in hex. */
export type PasswordProof = { readonly token: string; readonly salt: string } | { readonly password: string }

export type Minted = NewAppPassword | { readonly refusal: 'replayed' | 'too many' }

/** Somebody who has shown a password. */
export type Login = {
  readonly account: Address
  /** Handle or address. */
  readonly username: string
  /** Of the password, not the password. */
  readonly passwordId: string
}

/** One account's devices. All are tried when a token comes, so there must be a bound. */
export const maximumPerAccount = 25

/** A message may arrive this long after it has expired: clocks differ. */
const clockSkewMs = 60_000

/** 125 bits in five groups that can be typed on a remote control: no letter looks like another or like a digit. */
const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789'
const groups = 5
const groupLength = 5

type Row = {
  id: string
  account: Address
  controller: Address
  since_ms: number
  /** Of the account, as the index has it. */
  identity: Identity | null
  handle: string | null
  fingerprint: Buffer
  sealed: Buffer
  used_today: boolean
}

/** Begins a query of app passwords, called `a`, for a login. $1 is today. */
const selectLogins = `
  SELECT a.id, a.account, a.controller, a.since_ms, a.fingerprint, a.sealed,
    a.last_used_on IS NOT DISTINCT FROM $1::date AS used_today,
    (SELECT s.value FROM state s WHERE s.key = 'identity/' || a.account) AS identity,
    (SELECT p.handle FROM profile p WHERE p.id = a.account) AS handle
  FROM app_password a`

/** @param key 32 bytes
 * @param now ms since 1970 */
export function createAppPasswords({
  postgres,
  key,
  now,
}: {
  postgres: Postgres
  key: Buffer
  now: () => number
}): AppPasswords {
  const sealing = createSealing(key)
  const today = () => new Date(now()).toISOString().slice(0, 10)

  async function login(row: Row): Promise<Login> {
    if (!row.used_today) {
      await postgres.query('UPDATE app_password SET last_used_on = $2 WHERE id = $1', [row.id, today()])
    }
    return { account: row.account, username: row.handle ?? row.account, passwordId: row.id }
  }

  /** Whether nobody has rotated the keys of its account since. */
  function opens({ account, identity, controller, since_ms }: Row): boolean {
    const held = heldAt(account, identity, now())
    return held.controller === controller && held.sinceMs === since_ms
  }

  return {
    mint: ({ held: { account, controller, sinceMs }, device, nonce, expiresAt }) =>
      postgres.transaction(async (client): Promise<Minted> => {
        // One at a time for each account, so that together they keep to its bound.
        await client.query(`SELECT pg_advisory_xact_lock(hashtextextended('app-password/' || $1, 0))`, [
          account,
        ])
        await client.query('DELETE FROM app_password_nonce WHERE expires_at_ms < $1', [now() - clockSkewMs])
        // Those of before a rotation open nothing, and would count against the bound.
        await client.query(
          'DELETE FROM app_password WHERE account = $1 AND (controller, since_ms) <> ($2, $3::bigint)',
          [account, controller, sinceMs],
        )
        const { rows } = await client.query<{ count: number }>(
          'SELECT count(*)::int AS count FROM app_password WHERE account = $1',
          [account],
        )
        if ((rows[0]?.count ?? 0) >= maximumPerAccount) return { refusal: 'too many' }
        const { rowCount } = await client.query(
          'INSERT INTO app_password_nonce (nonce, expires_at_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING',
          [nonce, expiresAt],
        )
        if (rowCount === 0) return { refusal: 'replayed' }
        // Typed after a command, where what begins with a dash is an option.
        const id = randomBytes(9).toString('hex')
        const password = newPassword()
        await client.query(
          `INSERT INTO app_password (id, account, controller, since_ms, device, fingerprint, sealed, created_at_ms)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
          [
            ...[id, account, controller, sinceMs, device],
            ...[sealing.fingerprint(password), sealing.seal(id, password), now()],
          ],
        )
        const names = await client.query<{ handle: string | null }>(
          'SELECT handle FROM profile WHERE id = $1',
          [account],
        )
        return { id, username: names.rows[0]?.handle ?? account, password }
      }),

    async list({ account, controller, sinceMs }) {
      const { rows } = await postgres.query<AppPassword>(
        `SELECT id, device, created_at_ms AS "createdAtMs", last_used_on::text AS "lastUsedDay"
         FROM app_password WHERE account = $1 AND controller = $2 AND since_ms = $3 ORDER BY created_at_ms, id`,
        [account, controller, sinceMs],
      )
      return rows
    },

    async revoke(account, id) {
      const { rowCount } = await postgres.query('DELETE FROM app_password WHERE account = $1 AND id = $2', [
        account,
        id,
      ])
      return rowCount === 1
    },

    async findByPassword(password) {
      const { rows } = await postgres.query<Row>(`${selectLogins} WHERE a.fingerprint = $2`, [
        today(),
        sealing.fingerprint(password),
      ])
      const [row] = rows
      return row && opens(row) ? login(row) : undefined
    },

    async findByName(name, proof) {
      const { rows } = await postgres.query<Row>(
        `${selectLogins}
         WHERE a.account = coalesce((SELECT value #>> '{}' FROM state WHERE key = 'handle/' || lower($2)), lower($2))`,
        [today(), name],
      )
      // All are tried, whichever fits, so that time tells nothing.
      const fitting = rows
        .filter(opens)
        .filter((row) =>
          'password' in proof
            ? timingSafeEqual(row.fingerprint, sealing.fingerprint(proof.password))
            : provesPassword(sealing.open(row.id, row.sealed), proof),
        )
      return fitting[0] && login(fitting[0])
    },
  }
}

function provesPassword(
  password: string | undefined,
  { token, salt }: { token: string; salt: string },
): boolean {
  if (password === undefined) return false
  const expected = createHash('md5').update(password).update(salt).digest()
  const given = Buffer.from(token, 'hex')
  return given.length === expected.length && timingSafeEqual(given, expected)
}

function newPassword(): string {
  // 32 letters: five bits of each byte choose one without a bias.
  const letters = [...randomBytes(groups * groupLength)].map((byte) => alphabet[byte & 31])
  return Array.from({ length: groups }, (_, group) =>
    letters.slice(group * groupLength, (group + 1) * groupLength).join(''),
  ).join('-')
}
