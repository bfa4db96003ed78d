import { createHash, randomBytes } from 'node:crypto'
import type { Migration, Sqlite } from '@hexachord/platform/sqlite'
import type { Address } from '@hexachord/protocol/names'

/** Invites of a node that publishes for whom its operator has invited. Each serves one account, which may publish
 * here from then on. Only hashes of them are stored: whoever reads the database cannot use them. */
export type Invites = {
  /** Makes invites that end at a time (ms since 1970). @returns their codes, shown this once */
  mint(count: number, expiresAtMs: number): string[]
  /** Binds an invite to an account; doing so again for the same account changes nothing. Durable when it returns. */
  redeem(code: string, account: Address): Redemption
  isInvited(account: Address): boolean
}

export type Redemption = 'redeemed' | 'unknown' | 'expired' | 'used'

export const inviteMigrations: readonly Migration[] = [
  {
    name: 'invites-1',
    sql: `
      CREATE TABLE invite (
        sha256 TEXT PRIMARY KEY,
        expires_at INTEGER NOT NULL,
        account TEXT
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX invite_by_account ON invite (account) WHERE account IS NOT NULL;
    `,
  },
]

/** 128 bits: nobody guesses one. */
const codeBytes = 16

/** @param options.now ms since 1970 */
export function createInvites({ database, now }: { database: Sqlite; now: () => number }): Invites {
  return {
    mint(count, expiresAtMs) {
      const codes = Array.from({ length: count }, () => `invite-${randomBytes(codeBytes).toString('hex')}`)
      database.transaction(() => {
        // Those that nobody used in time are of no more use.
        database.run('DELETE FROM invite WHERE account IS NULL AND expires_at < ?', now() - keptMs)
        for (const code of codes) {
          database.run('INSERT INTO invite (sha256, expires_at) VALUES (?, ?)', hashOf(code), expiresAtMs)
        }
      })
      return codes
    },
    redeem(code, account) {
      return database.transaction(() => {
        const invite = database.get<{ expiresAt: number; account: string | null }>(
          'SELECT expires_at AS expiresAt, account FROM invite WHERE sha256 = ?',
          hashOf(code),
        )
        if (invite === undefined) return 'unknown'
        if (invite.account === account) return 'redeemed'
        if (invite.account !== null) return 'used'
        if (invite.expiresAt <= now()) return 'expired'
        database.run('UPDATE invite SET account = ? WHERE sha256 = ?', account, hashOf(code))
        return 'redeemed'
      })
    },
    isInvited: (account) =>
      database.get('SELECT 1 AS one FROM invite WHERE account = ? LIMIT 1', account) !== undefined,
  }
}

/** Expired ones are told from unknown ones for this long. */
const keptMs = 90 * 86_400_000

function hashOf(code: string): string {
  return createHash('sha256').update(code).digest('hex')
}
