import { clientOf } from '@hexachord/platform/http'
import { createAllowance } from './allowance.ts'
import type { AppPasswords, Login, PasswordProof } from './passwords.ts'

/** Logs players in, whichever protocol they speak. */
export type Logins = {
  /** `wrong` opens nothing; `tooMany` have failed lately, and it is worth to ask again after {@link retryAfterSeconds}.
   * @param address from which it is asked */
  logIn(attempt: Attempt, address: string | undefined): Promise<Login | 'wrong' | 'tooMany'>
}

/** What a player shows: a password alone, or a name and a proof. */
export type Attempt = { readonly apiKey: string } | { readonly name: string; readonly proof: PasswordProof }

/** An app password has 125 bits, so that nobody guesses one; these bounds keep those who try from our database. */
const perClient = { burst: 20, refillMs: 30_000 }
const altogether = { burst: 300, refillMs: 200, maximumKeys: 1 }

/** Clients that have logged in before are not shut out by the failures of all others. */
const maximumKnownClients = 10_000

export const retryAfterSeconds = 30

export const howToGetAppPassword =
  "log in with a user name and an app password, which 'hexachord app-password create' makes; a wallet's own password is none"

/** @param now ms */
export function createLogins({
  appPasswords,
  now,
}: {
  appPasswords: Pick<AppPasswords, 'findByName' | 'findByPassword'>
  now: () => number
}): Logins {
  const failuresOf = createAllowance({ ...perClient, now })
  const failures = createAllowance({ ...altogether, now })
  const known = new Set<string>()

  function mayTry(client: string): boolean {
    return failuresOf.has(client) && (known.has(client) || failures.has('all'))
  }

  function remember(client: string): void {
    known.delete(client)
    known.add(client)
    for (const oldest of known) {
      if (known.size <= maximumKnownClients) break
      known.delete(oldest)
    }
  }

  return {
    async logIn(attempt, address) {
      const client = clientOf(address)
      if (!mayTry(client)) return 'tooMany'
      const login =
        'apiKey' in attempt
          ? await appPasswords.findByPassword(attempt.apiKey)
          : await appPasswords.findByName(attempt.name, attempt.proof)
      if (login !== undefined) {
        remember(client)
        return login
      }
      failuresOf.take(client)
      failures.take('all')
      return 'wrong'
    },
  }
}
